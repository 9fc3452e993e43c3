// Is this still the model that was there before? Told by its files, without reading the weights.
import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ggufParts } from "../storage/gguf-files.ts";

/** Larger ones are known by their size and the time of their last change. */
const mostRead = 8 * 2 ** 20;
const counts = /^(?!\.).*\.(json|safetensors|bin|pt|pth|gguf|model|txt)$/;
/** Of a model that was grown here: config.json holds the hash of the weights, which opening checks. */
const own = ["config.json", "tokenizer.json", "recipe.json"];

/**
 * SHA-256 over the files of a folder, or over one file of weights. Another model in the same place
 * has another; the same files, copied elsewhere, may have another too (their times differ).
 */
export async function modelFingerprint(path: string): Promise<string> {
  const isFolder = (await stat(path)).isDirectory();
  const folder = isFolder ? path : dirname(path);
  const names = isFolder ? await namesIn(folder) : namesOf(basename(path));
  const lines = await Promise.all(names.map((name) => stamp(join(folder, name), name)));
  return createHash("sha256")
    .update(lines.filter((line) => line !== undefined).join("\n"))
    .digest("hex");
}

async function namesIn(folder: string): Promise<string[]> {
  const config = await readFile(join(folder, "config.json"), "utf8").catch(() => "");
  if (/"hash"\s*:\s*"[0-9a-f]{64}"/.test(config)) return own;
  return (await readdir(folder)).filter((name) => counts.test(name)).sort();
}

/** A GGUF file says everything itself; other weights need what lies beside them. */
function namesOf(name: string): string[] {
  return name.endsWith(".gguf") ? ggufParts(name) : [...new Set([name, ...own])];
}

async function stamp(path: string, name: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  // The hub's cache names files by their content.
  const blob = basename(await realpath(path));
  if (blob !== name && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(blob)) return `${name} ${blob}`;
  if (found.size > mostRead) return `${name} ${found.size} ${Math.trunc(found.mtimeMs)}`;
  const content = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return `${name} ${content}`;
}
