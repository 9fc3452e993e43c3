// micrographia evaluate: a dictionary's figures, beside its controls and baselines.
import type { Command } from "commander";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions } from "./options.ts";

export function define(command: Command): Command {
  return commonOptions(command).argument("<dictionary>", "e.g. field-1l-sae-2048-k32-s0");
}

export async function run(dictionary: string, options: CommonOptions): Promise<number> {
  return runJob("evaluate", { dictionary, seed: options.seed }, options);
}
