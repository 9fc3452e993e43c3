#!/usr/bin/env node
// The package's bin: runs one command and exits with its code.
import { exitOnInterrupt } from "./interrupt.ts";
import { main } from "./program.ts";

exitOnInterrupt();
// A reader that went away (`| head`) is no failure.
process.stdout.on("error", () => process.exit(0));
process.exit(await main(process.argv.slice(2)));
