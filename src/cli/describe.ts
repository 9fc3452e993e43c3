// micrographia describe: the pages of a dictionary's features, or of a model's own neurons.
import type { Command } from "commander";
import { check } from "../base/errors.ts";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions } from "./options.ts";

interface Options extends CommonOptions {
  neurons?: string;
  site?: string;
}

export function define(command: Command): Command {
  return commonOptions(command)
    .argument("[dictionary]", "e.g. field-1l-sae-2048-k32-s0")
    .option("--neurons <model>", "instead: the neurons of a model, each by itself")
    .option("--site <site>", "which neurons (default: blocks.0.mlp.hook_post)");
}

export async function run(dictionary: string | undefined, options: Options): Promise<number> {
  const { neurons, site, seed } = options;
  check(
    (dictionary === undefined) !== (neurons === undefined),
    "job/input",
    dictionary === undefined ? "nothing to describe is named" : "two things to describe are named",
    { wanted: "a dictionary, or --neurons and a model" },
  );
  check(dictionary === undefined || site === undefined, "job/input", "whose site?", {
    got: `--site ${site}`,
    wanted: "a dictionary without --site (it has its own), or --neurons with it",
  });
  return runJob("describe", { dictionary, neurons, site, seed }, options);
}
