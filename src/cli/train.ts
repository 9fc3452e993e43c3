// micrographia train: a dictionary of the features at a site.
import type { Command } from "commander";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions, positive, real } from "./options.ts";

interface Options extends CommonOptions {
  site: string;
  d_sae?: number;
  k?: number;
  steps?: number;
  batch?: number;
  lr?: number;
}

export function define(command: Command): Command {
  return commonOptions(command)
    .argument("[model]", "a bundled organism, a folder, or a hub id that was pulled", "field-1l")
    .option("--site <site>", "where to learn", "blocks.0.mlp.hook_post")
    .option("--d_sae <n>", "features of the dictionary", positive)
    .option("--k <n>", "features active at a token", positive)
    .option("--steps <n>", "training steps", positive)
    .option("--batch <n>", "tokens a step", positive)
    .option("--lr <x>", "learning rate", real);
}

export async function run(model: string, options: Options): Promise<number> {
  const { site, d_sae, k, steps, batch, lr, seed } = options;
  return runJob("train", { model, site, d_sae, k, steps, batch, lr, seed }, options);
}
