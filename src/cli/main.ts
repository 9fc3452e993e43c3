#!/usr/bin/env node
// The package's bin: runs one command and exits with its code.
import { largePages } from "../runtime/large-pages.ts";
import { runAgain } from "./again.ts";
import { exitOnInterrupt } from "./interrupt.ts";
import { main } from "./program.ts";

/** Commands that read a model's weights again and again in this process. Jobs have processes of their own. */
const reading = new Set(["generate", "run"]);

const args = process.argv.slice(2);
const env = reading.has(args[0] ?? "") ? largePages() : undefined;
if (env !== undefined) process.exit(await runAgain(env));
exitOnInterrupt();
// A reader that went away (`| head`) is no failure.
process.stdout.on("error", () => process.exit(0));
process.exit(await main(args));
