// Which checkpoint does a folder or a file mean: whose layout is it, and where are its weights?
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { check, fail } from "../../base/errors.ts";
import { folderStore } from "../../storage/folder.ts";
import { ggufModels, ggufPart } from "../../storage/gguf-files.ts";
import type { Store } from "../../storage/store.ts";

export interface Place {
  /** `config`: a folder with config.json, of Hugging Face or ours. */
  readonly kind: "config" | "gguf" | "llama2c";
  readonly store: Store;
  /** The folder within the store: empty, or with a slash at its end. */
  readonly prefix: string;
  /** The weights: a file or an index of shards. Undefined where config.json has to be read first. */
  readonly key?: string;
  /** What the model is called when nobody names it. */
  readonly name: string;
}

/** A folder, a file in it, or a store. Errors: `model/config`, `model/weights`. */
export async function findCheckpoint(from: string | Store, prefix = ""): Promise<Place> {
  if (typeof from !== "string") return inFolder(from, prefix);
  const path = resolve(from);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return inFolder(folderStore(path), prefix);
  const store = folderStore(dirname(path));
  const key = basename(path);
  if (key === "config.json") return inFolder(store, "");
  const kind = await kindOf(store, key);
  return {
    kind,
    store,
    prefix: "",
    key,
    name: kind === "config" ? basename(store.name) : nameOf(key),
  };
}

function nameOf(key: string): string {
  return basename(ggufPart(key)?.stem ?? key.replace(/\.[a-z0-9]+$/i, ""));
}

async function kindOf(store: Store, key: string): Promise<Place["kind"]> {
  const size = (await store.size(key)) ?? 0;
  const first = await store.getRange(key, 0, Math.min(4, size));
  if (String.fromCharCode(...first) === "GGUF") return "gguf";
  if ((await store.size("config.json")) !== undefined) return "config";
  if (key.endsWith(".bin") && isLlama2c(first)) return "llama2c";
  return fail("model/config", "these weights do not say what they compute", {
    where: `${store.name}/${key}`,
    got: "no config.json beside them",
    wanted: "config.json beside them, or a GGUF file, or a llama2.c .bin",
  });
}

/** Of PyTorch's files both kinds begin otherwise: with `PK` or with a pickle. */
function isLlama2c(first: Uint8Array): boolean {
  const text = String.fromCharCode(...first);
  return first.length === 4 && !text.startsWith("PK") && !text.startsWith("\x80");
}

async function inFolder(store: Store, prefix: string): Promise<Place> {
  const name = basename(prefix || store.name);
  const keys = await filesIn(store, prefix);
  const gguf = ggufModels(keys);
  // Those who publish GGUF leave a config.json beside it, which names no weights.
  const hasConfig = (await store.size(`${prefix}config.json`)) !== undefined;
  if (
    hasConfig &&
    (gguf.length === 0 || weightsIn(keys).length > 0 || endsWith(keys, ".index.json").length > 0)
  )
    return { kind: "config", store, prefix, name };
  const kinds = { gguf, llama2c: await llama2cFiles(store, keys) };
  for (const [kind, found] of Object.entries(kinds) as ["gguf" | "llama2c", string[]][]) {
    check(found.length <= 1, "model/weights", `the folder holds several ${kind} models`, {
      where: `${store.name}/${prefix}`,
      got: found.join(", "),
      wanted: "the path of one of them",
    });
    const [key] = found;
    if (key !== undefined) return { kind, store, prefix, key, name: nameOf(key) };
  }
  return fail("model/config", "config.json cannot be read", {
    where: `${store.name}/${prefix}config.json`,
    got: keys.slice(0, 8).join(", ") || "an empty folder, or none",
    wanted: "a folder with config.json, with one GGUF file, or with one llama2.c model",
  });
}

/** Not those of folders below. Links to files count: the hub's cache has nothing else. */
export async function filesIn(store: Store, prefix: string): Promise<string[]> {
  if (store.folder === undefined) {
    const keys = await store.list(prefix).catch(() => []);
    return keys.filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes("/"));
  }
  const folder = join(store.folder, ...prefix.split("/"));
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.isFile()),
  );
  return names
    .filter((_, i) => found[i] === true)
    .map((name) => `${prefix}${name}`)
    .sort();
}

function endsWith(keys: readonly string[], ...ends: readonly string[]): string[] {
  return keys.filter((key) => ends.some((end) => key.endsWith(end)));
}

/** A header of seven plausible sizes: a tokenizer's file, which ends in `.bin` too, has none. */
async function llama2cFiles(store: Store, keys: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const key of endsWith(keys, ".bin")) {
    const size = (await store.size(key)) ?? 0;
    if (size < 28) continue;
    const head = await store.getRange(key, 0, 28);
    const view = new DataView(head.buffer, head.byteOffset, 28);
    const [dim, hidden, layers, heads, kv, vocab, pos] = Array.from({ length: 7 }, (_, i) =>
      view.getInt32(4 * i, true),
    ) as [number, number, number, number, number, number, number];
    const sizes = [dim, hidden, layers, heads, kv, Math.abs(vocab), pos];
    const plausible = sizes.every((n) => n > 0 && n < 2 ** 24) && dim % heads === 0;
    if (plausible && 4 * dim * Math.abs(vocab) < size) found.push(key);
  }
  return found;
}

const usual = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];
/** What trainers leave beside the weights. */
const other = /(training_args|optimizer|scheduler|scaler|rng_state[_\d]*|tokenizer.*)\.[a-z]+$/;

function weightsIn(keys: readonly string[]): string[] {
  const found = endsWith(keys, ".safetensors", ".bin", ".pt", ".pth");
  return found.filter((key) => !other.test(key));
}

/** The weights beside a config.json: under a usual name, or the only file that could be them. */
export async function weightsBeside(store: Store, prefix: string): Promise<string> {
  for (const name of usual)
    if ((await store.size(`${prefix}${name}`)) !== undefined) return `${prefix}${name}`;
  const found = weightsIn(await filesIn(store, prefix));
  if (found.length === 1) return found[0]!;
  return fail(
    "model/weights",
    found.length === 0 ? "there are no weights" : "several files could be the weights",
    {
      where: `${store.name}/${prefix}`,
      got: found.slice(0, 8).join(", ") || "config.json alone",
      wanted: `${usual.join(", ")}, or one file of safetensors or PyTorch`,
    },
  );
}
