// micrographia demo: the whole path on the bundled organism, live in the browser.
import type { Command } from "commander";
import { serve } from "../server/serve.ts";
import { openBrowser } from "./browser.ts";
import { exit } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { report } from "./job.ts";
import { type CommonOptions, commonOptions, portNumber, positive } from "./options.ts";
import { talker } from "./talk.ts";

interface Options extends CommonOptions {
  model: string;
  d_sae?: number;
  k?: number;
  tokens?: number;
  control: boolean;
  port?: number;
  open: boolean;
  once?: boolean;
}

export function define(command: Command): Command {
  return commonOptions(command)
    .option("--model <name>", "a bundled organism, or a folder", "field-1l")
    .option("--d_sae <n>", "features of the dictionary", positive)
    .option("--k <n>", "features active at a token", positive)
    .option("--tokens <n>", "tokens to learn from, e.g. 13M", positive)
    .option("--no-control", "leave out the control dictionary")
    .option("--port <n>", "port of the page (default: 1665, or the next free one)", portNumber)
    .option("--no-open", "do not open a browser")
    .option("--once", "end when it is done, with its figures");
}

export async function run(options: Options): Promise<number> {
  const { json, quiet, threads, out, port, once = false } = options;
  const began = performance.now();
  const talk = talker({ quiet });
  const server = await serve({ folder: out, port, threads, mustWrite: true });
  talk.say(`micrographia  ${server.privateUrl}`);
  const { model, d_sae, k, tokens, seed, control } = options;
  try {
    const job = await server.start(
      "demo",
      { model, d_sae, k, tokens, seed, control },
      { onEvent: (event) => talk.event(event) },
    );
    const interrupt = onInterrupt({
      first: () => {
        talk.say("stopping after this step; Ctrl-C again to stop at once");
        job.stop();
      },
      second: () => {
        job.kill();
        process.exit(exit.interrupted);
      },
    });
    if (options.open && !once && !json) openBrowser(server.privateUrl);
    const outcome = await job.done;
    talk.end();
    if (outcome.status === "done")
      outcome.result = {
        ...(outcome.result as object),
        seconds: (performance.now() - began) / 1000,
        // Of the process that worked and of the one that serves, together.
        peak_memory: outcome.memory_bytes + process.resourceUsage().maxRSS * 1024,
      };
    const code = await report(outcome, { json, talk, asked: interrupt.asked });
    if (once || code !== exit.done) return code;
    talk.say(`${job.known ? "already done" : "done"}: look at ${server.url} (Ctrl-C to end)`);
    await interrupt.first;
    return exit.interrupted;
  } finally {
    await server.close();
  }
}
