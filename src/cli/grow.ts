// micrographia grow: a small language model from a recipe of sizes, texts and training.
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions, positive, whole } from "./options.ts";

interface Options extends Omit<CommonOptions, "seed"> {
  seed?: number;
  texts?: string;
  steps?: number;
  into?: string;
}

export function define(command: Command): Command {
  return commonOptions(command, { seed: false })
    .argument("<recipe>", "path of a recipe.json")
    .option("--texts <folder>", "where the texts lie that the recipe names")
    .option("--steps <n>", "training steps instead of the recipe's", positive)
    .option("--seed <n>", "seed instead of the recipe's", whole)
    .option("--into <folder>", "where the model goes (default: models/ in the project folder)");
}

export async function run(recipe: string, options: Options): Promise<number> {
  const { texts, steps, seed } = options;
  const name = basename(recipe, ".json");
  const own = name === "recipe" ? basename(dirname(recipe)) || "grown" : name;
  const out = options.into ?? join(options.out, "models", own);
  return runJob("grow", { recipe, texts, out, steps, seed }, options);
}
