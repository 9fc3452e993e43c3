// Which model is meant on the command line, how is it opened, and what is said while that takes time?
import { type Command, Option } from "commander";
import type { Progress } from "../base/progress.ts";
import { type Model, openModel, resolveModel, type Tower } from "../models/index.ts";
import { modelShelf } from "../server/models.ts";
import { bytes } from "./format.ts";

export const modelArgument =
  "a bundled organism, one of the project folder, a folder, a file (GGUF, llama2.c), or a hub id";

export interface ModelOptions {
  out: string;
  /** `--no-cache` */
  cache?: boolean;
  quiet?: boolean;
  /** Reads weights of fewer than 8 bits. */
  blocks?: boolean;
  /** Where the trained weights lie that those are compared with; asks for `blocks` too. */
  trained?: string;
  /** Of a checkpoint that holds two. */
  tower?: Tower;
}

export function modelOptions(command: Command): Command {
  return command
    .option("--no-cache", "widen half weights in memory, and keep no float32 copy")
    .option("--blocks", "read weights that lie in blocks of fewer than 8 bits")
    .option("--trained <model>", "say how far such blocks are from the weights of this model");
}

/** For commands that read images too. */
export function towerOption(): Option {
  return new Option("--tower <which>", "of CLIP").choices(["text", "image"]);
}

/** A folder or a file. Errors: `model/missing`, with the line that fetches it where it is a hub id. */
export async function modelPath(reference: string, out: string): Promise<string> {
  const shelf = modelShelf(out);
  if ((await shelf.names()).includes(reference)) return shelf.folder(reference);
  const { folder, file } = await resolveModel(reference);
  return file ?? folder;
}

export async function findModel(reference: string, options: ModelOptions): Promise<Model> {
  return openPath(await modelPath(reference, options.out), options);
}

export async function openPath(
  path: string,
  { cache, quiet, tower, blocks, trained, out }: ModelOptions,
): Promise<Model> {
  return openModel(path, {
    blocks: blocks === true || trained !== undefined ? "read" : undefined,
    trained: trained === undefined ? undefined : await modelPath(trained, out),
    cache: cache === false ? false : undefined,
    tower,
    onProgress: quiet ? undefined : widening(process.stderr, cache !== false),
  });
}

/** The size before anything is written, then a line at every tenth. */
function widening(to: { write(text: string): unknown }, kept: boolean) {
  let tenth = 0;
  return ({ stage, done, total }: Progress): void => {
    if (stage !== "widen") return;
    const now = Math.floor((10 * done) / Math.max(1, total));
    if (done > 0 && now === tenth) return;
    tenth = now;
    const size = bytes(total);
    if (done === 0) to.write(`float32 ${kept ? "copy in the cache" : "in memory"}: ${size}\n`);
    else to.write(`widened ${10 * now} % of ${size}\n`);
  };
}
