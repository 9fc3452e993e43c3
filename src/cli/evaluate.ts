// micrographia evaluate: a dictionary's figures, beside its controls and baselines.
import type { Command } from "commander";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions } from "./options.ts";

interface Options extends CommonOptions {
  full?: boolean;
  texts?: string;
}

export function define(command: Command): Command {
  return commonOptions(command)
    .argument("<dictionary>", "e.g. field-1l-sae-2048-k32-s0")
    .option(
      "--full",
      "also the step-0 model, random directions, equal densities, a layer-wide dictionary, a probe",
    )
    .option(
      "--texts <folder>",
      "judge on the held-out texts of the model's recipe, in this folder",
    );
}

export async function run(dictionary: string, options: Options): Promise<number> {
  return runJob(
    "evaluate",
    { dictionary, full: options.full, texts: options.texts, seed: options.seed },
    options,
  );
}
