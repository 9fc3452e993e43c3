// micrographia record: a site's activations over texts, as shards on disk.
import { type Command, Option } from "commander";
import { runJob } from "./job.ts";
import { type CommonOptions, commonOptions, positive } from "./options.ts";

interface Options extends CommonOptions {
  site: string;
  dtype: "float16" | "float32";
  tokens?: number;
}

export function define(command: Command): Command {
  return commonOptions(command)
    .argument("<model>", "a bundled organism, a folder, or a hub id that was pulled")
    .argument("[texts...]", "files, folders or globs (default: the texts on this machine)")
    .option("--site <site>", "where to read", "blocks.0.mlp.hook_post")
    .option("--tokens <n>", "stop after so many, e.g. 1M", positive)
    .addOption(
      new Option("--dtype <dtype>", "how numbers are kept")
        .choices(["float16", "float32"])
        .default("float16"),
    );
}

export async function run(model: string, texts: string[], options: Options): Promise<number> {
  const { site, dtype, tokens, seed } = options;
  return runJob("record", { model, texts, site, dtype, tokens, seed }, options);
}
