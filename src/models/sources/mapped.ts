// Where do a checkpoint's tensors come from at run time: their own file, a widened copy, or memory?
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import type { Context } from "../../base/progress.ts";
import type { TensorEntry, TensorFile } from "../../formats/tensor-file.ts";
import { folderStore } from "../../storage/folder.ts";
import type { Store } from "../../storage/store.ts";
import { toFloat32 } from "../../tensor/half.ts";
import type { Source } from "../stored.ts";
import { widenedCopy, widenPlan } from "../widen.ts";

export interface MappedOptions extends Context {
  /** The folder for widened copies; `false` widens in memory, at each opening. */
  cache?: string | false;
  inMemory?: boolean;
  blocks?: "refuse" | "read";
}

export interface Mapped {
  readonly file: TensorFile;
  /** Where `file` lies. */
  readonly store: Store;
}

/** `micrographia` in XDG_CACHE_HOME, or in ~/.cache. */
export function defaultCache(env: Readonly<Record<string, string | undefined>> = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "micrographia");
}

/**
 * The same tensors where they can be mapped: as they lie if all are float32, else as a copy, made
 * once. Its size is told as the total of a first progress, before anything is written.
 */
export async function mapped(
  { file, store }: Mapped,
  key: string,
  { cache = defaultCache(), inMemory = false, blocks, ...context }: MappedOptions,
): Promise<Mapped> {
  const plan = widenPlan(file);
  if (!plan.needed || store.folder === undefined) return { file, store };
  if (inMemory || cache === false) {
    context.onProgress?.({ stage: "widen", done: 0, total: plan.bytes, unit: "bytes" });
    return { file, store };
  }
  const hash = await knownHash(store, file);
  const source = { store, key, ...(hash === undefined ? {} : { hash }) };
  const copy = await widenedCopy(source, folderStore(cache), { ...context, blocks });
  return { file: copy.file, store: copy.store };
}

/** The hub's cache names a large file by the SHA-256 of its content: it need not be read for that. */
async function knownHash(store: Store, { files }: TensorFile): Promise<string | undefined> {
  const names = [];
  for (const key of files.keys()) {
    const path = await realpath(join(store.folder!, ...key.split("/"))).catch(() => "");
    const name = basename(path);
    if (!/^[0-9a-f]{64}$/.test(name) || basename(key) === name) return undefined;
    names.push(name);
  }
  if (names.length === 1) return names[0];
  return createHash("sha256").update(names.join("\n")).digest("hex");
}

/** A float32 tensor of a file on this machine stays there; every other is widened into memory. */
export async function sourceOf(
  { file, store }: Mapped,
  { name, shape, dtype, range, file: key }: TensorEntry,
  inMemory: boolean,
): Promise<Source> {
  if (dtype === "float32" && range !== undefined && store.folder !== undefined && !inMemory) {
    const path = join(store.folder, ...key.split("/"));
    const [offset, end] = range;
    return { kind: "file", shape, file: { path, offset, length: end - offset } };
  }
  return { kind: "memory", shape, tensor: toFloat32(await file.read(name)) };
}
