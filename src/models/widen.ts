// How weights that were stored as halves or 8-bit blocks become float32: exactly, and once.
import { createHash } from "node:crypto";
import { check, fail } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { openTensors } from "../formats/open.ts";
import { frameSafetensors, readSafetensorsHeader } from "../formats/safetensors.ts";
import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import { blockTypes } from "../tensor/quantized.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor } from "../tensor/tensor.ts";

/** A checkpoint: one file of tensors, or the index of several. */
export interface WidenSource {
  readonly store: Store;
  readonly key: string;
  /** SHA-256 of the content where somebody knows it already (the hub does); else the files are read once more. */
  readonly hash?: string;
}

export interface WidenPlan {
  /** False: all floats are float32 as they lie, and can be used in place. */
  readonly needed: boolean;
  /** Bytes of tensors that a copy takes. */
  readonly bytes: number;
  /** Stored type → number of tensors. */
  readonly stored: Readonly<Record<string, number>>;
}

export interface WidenOptions extends Context {
  /** Keys in the cache begin with this. */
  prefix?: string;
  /** Hears the size before a byte is written. */
  onPlan?: (plan: WidenPlan) => void;
  /** Blocks of fewer than 8 bits are other weights: they are refused unless they are asked for. */
  blocks?: "refuse" | "read";
  /** A copy is cut into files of about this size, so that memory holds one of them at a time. */
  shardBytes?: number;
}

export interface Widened {
  readonly file: TensorFile;
  /** Where `file` lies. */
  readonly store: Store;
  readonly key: string;
  /** "in place": no copy was needed; "reused": it was there; "written": it is new. */
  readonly how: "in place" | "reused" | "written";
}

/** Counts with the rules of widening: another rule is another copy. */
const rules = "widened 1";
const chunk = 16 * 2 ** 20;
/** A view may repeat its storage, and a tensor may have several names; a copy has all of that. */
const mostGrowth = 64;
/** Typed arrays of this Node hold no more. */
const mostBytes = 2 ** 32 - 2 ** 20;

const widenedType = (dtype: DType): DType =>
  dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype;

/** What a copy would take. float64 and whole numbers stay as they are. */
export function widenPlan(file: TensorFile): WidenPlan {
  const stored: Record<string, number> = {};
  let bytes = 0;
  let needed = false;
  for (const entry of file.entries.values()) {
    stored[entry.stored] = (stored[entry.stored] ?? 0) + 1;
    bytes += bytesOf(entry);
    const float32 = widenedType(entry.dtype) === "float32";
    needed ||= float32 && (entry.dtype !== "float32" || entry.range === undefined);
  }
  return Object.freeze({ needed, bytes, stored: Object.freeze(stored) });
}

function bytesOf({ dtype, shape }: TensorEntry): number {
  return sizeOf(shape) * bytesPerElement[widenedType(dtype)];
}

/** One tensor, widened for this run only. */
export async function readWidened(file: TensorFile, name: string): Promise<Tensor> {
  const tensor = await file.read(name);
  return widenedType(tensor.dtype) === tensor.dtype ? tensor : toFloat32(tensor);
}

/**
 * The checkpoint as float32 safetensors. A copy lies in `cache` under the hash of its source, is
 * written file by file, each whole or not at all, and its manifest last: what was interrupted
 * continues with the next file, and the same source is never widened twice.
 */
export async function widenedCopy(
  source: WidenSource,
  cache: Store,
  {
    prefix = "widened/",
    shardBytes = 256 * 2 ** 20,
    blocks = "refuse",
    ...context
  }: WidenOptions = {},
): Promise<Widened> {
  const file = await openTensors(source.store, source.key, { blocks });
  const plan = widenPlan(file);
  context.onPlan?.(plan);
  if (!plan.needed) return { file, store: source.store, key: source.key, how: "in place" };
  refuseBlocks(file, blocks);
  refuseGrowth(file, plan);
  const report = (done: number): void =>
    context.onProgress?.({ stage: "widen", done, total: plan.bytes, unit: "bytes" });
  report(0);
  const hash = source.hash ?? (await hashFiles(source.store, file, context));
  const folder = `${prefix}${keyOf(hash)}/`;
  const reused = await openCopy(cache, folder);
  if (reused !== undefined) return { ...reused, store: cache, how: "reused" };

  const shards = cut([...file.entries.values()], shardBytes);
  const index: Record<string, string> = {};
  let done = 0;
  for (const [i, shard] of shards.entries()) {
    const name = nameOf(i, shards.length);
    if (!(await isWritten(cache, `${folder}${name}`, shard)))
      await writeShard(file, shard, cache, `${folder}${name}`, context, (n) => report(done + n));
    for (const entry of shard) {
      index[entry.name] = name;
      done += bytesOf(entry);
    }
    report(done);
  }
  if (shards.length > 1)
    await putJson(cache, `${folder}${indexName}`, {
      metadata: { total_size: plan.bytes },
      weight_map: index,
    });
  const main = shards.length > 1 ? indexName : nameOf(0, 1);
  await putJson(cache, `${folder}manifest.json`, {
    kind: "widened weights",
    rules,
    main,
    source: { where: file.where, hash },
    bytes: plan.bytes,
    stored: plan.stored,
  });
  const written = await openCopy(cache, folder);
  if (written === undefined)
    return fail("model/widen", "the copy cannot be read back", {
      where: `${cache.name}/${folder}`,
    });
  return { ...written, store: cache, how: "written" };
}

const indexName = "model.safetensors.index.json";

function nameOf(i: number, n: number): string {
  const five = (k: number): string => String(k).padStart(5, "0");
  return n === 1 ? "model.safetensors" : `model-${five(i + 1)}-of-${five(n)}.safetensors`;
}

function refuseBlocks(file: TensorFile, blocks: "refuse" | "read"): void {
  for (const { name, stored } of file.entries.values()) {
    const bits = blockTypes[stored]?.bits ?? 32;
    check(
      bits >= 8 || blocks === "read",
      "format/gguf-blocks",
      `${stored} holds ${bits}-bit blocks`,
      {
        where: `${file.where}: ${name}`,
        got: stored,
        wanted: "F32, F16, BF16 or Q8_0: the weights that were trained",
        hint: "take the F16 or Q8_0 file of this model, or ask for the blocks",
      },
    );
  }
}

function refuseGrowth(file: TensorFile, { bytes }: WidenPlan): void {
  const size = [...file.files.values()].reduce((a, b) => a + b, 0);
  check(bytes <= mostGrowth * size, "model/widen", "the tensors are far larger than their file", {
    where: file.where,
    got: `${bytes} bytes of tensors`,
    wanted: `at most ${mostGrowth} × ${size}`,
  });
  const large = [...file.entries.values()].find((entry) => bytesOf(entry) > mostBytes);
  check(large === undefined, "model/widen", "a tensor is too large to be held in memory", {
    where: `${file.where}: ${large?.name}`,
    got: large && `${bytesOf(large)} bytes`,
    wanted: `at most ${mostBytes}`,
  });
}

/** Of the content of all its files, in their order. */
async function hashFiles(store: Store, file: TensorFile, context: Context): Promise<string> {
  const hash = createHash("sha256");
  for (const [key, size] of file.files)
    for (let at = 0; at < size; at += chunk) {
      throwIfStopped(context);
      hash.update(await store.getRange(key, at, Math.min(size, at + chunk)));
    }
  return hash.digest("hex");
}

function keyOf(hash: string): string {
  return createHash("sha256").update(`${rules}\n${hash}`).digest("hex").slice(0, 32);
}

async function openCopy(
  cache: Store,
  folder: string,
): Promise<{ file: TensorFile; key: string } | undefined> {
  if ((await cache.size(`${folder}manifest.json`)) === undefined) return undefined;
  try {
    const { main } = JSON.parse(await getText(cache, `${folder}manifest.json`));
    if (main !== indexName && main !== nameOf(0, 1)) return undefined;
    return { file: await openTensors(cache, `${folder}${main}`), key: `${folder}${main}` };
  } catch {
    // Somebody removed or cut a part of it: it is written again.
    return undefined;
  }
}

/** In the order of the source; a tensor larger than the limit has a file of its own. */
function cut(entries: readonly TensorEntry[], limit: number): TensorEntry[][] {
  const shards: TensorEntry[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    if (size + bytesOf(entry) > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)!.push(entry);
    size += bytesOf(entry);
  }
  return shards;
}

/** The store writes a file whole or not at all, so that one with the right header is complete. */
async function isWritten(
  cache: Store,
  key: string,
  shard: readonly TensorEntry[],
): Promise<boolean> {
  if ((await cache.size(key)) === undefined) return false;
  const header = await readSafetensorsHeader(cache, key).catch(() => undefined);
  return (
    header?.entries.size === shard.length &&
    shard.every(({ name, shape }) => header.entries.get(name)?.shape.join() === shape.join())
  );
}

async function writeShard(
  file: TensorFile,
  shard: readonly TensorEntry[],
  cache: Store,
  key: string,
  context: Context,
  report: (bytes: number) => void,
): Promise<void> {
  const specs: Record<string, { dtype: DType; shape: readonly number[] }> = Object.create(null);
  const stored: Record<string, string> = Object.create(null);
  for (const entry of shard) {
    specs[entry.name] = { dtype: widenedType(entry.dtype), shape: entry.shape };
    stored[entry.name] = entry.stored;
  }
  const metadata = { format: "pt", stored: JSON.stringify(stored) };
  const { bytes, tensors } = frameSafetensors(specs, metadata);
  let done = 0;
  for (const entry of shard) {
    throwIfStopped(context);
    const { data } = await readWidened(file, entry.name);
    (tensors[entry.name]!.data as Float32Array).set(data as Float32Array);
    done += bytesOf(entry);
    report(done);
  }
  throwIfStopped(context);
  await cache.put(key, bytes);
}
