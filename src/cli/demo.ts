// micrographia demo: the whole path on the bundled organism, live in the browser.
import type { Command } from "commander";
import { type LiveOptions, runLive } from "./live.ts";
import { commonOptions, portNumber, positive } from "./options.ts";

interface Options extends LiveOptions {
  seed: number;
  model: string;
  d_sae?: number;
  k?: number;
  tokens?: number;
  control: boolean;
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
  const { model, d_sae, k, tokens, seed, control } = options;
  return runLive("demo", { model, d_sae, k, tokens, seed, control }, options);
}
