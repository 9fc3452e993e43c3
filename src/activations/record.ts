// How activations are put on disk: shards of whole rows, and a manifest that is written last.
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { check, isError } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { frameSafetensors } from "../formats/safetensors.ts";
import { type Model, siteWidth, weightDtype } from "../models/index.ts";
import {
  type Backend,
  type BuildInfo,
  buildInfo,
  outputLimitBytes,
  rowsPerRun,
} from "../runtime/index.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { narrowF16 } from "../tensor/half.ts";
import { bytesPerElement } from "../tensor/tensor.ts";
import { type MomentsState, sumMoments } from "./moments.ts";
import { type ActivationRows, activationStream } from "./stream.ts";

export interface RecordOptions {
  site: string;
  store: Store;
  /** Keys begin with this. */
  prefix?: string;
  /** float16 halves the files; rounding is to the nearest, and overflow is refused. */
  dtype?: "float32" | "float16";
  /** What the rows begin with besides text, as the manifest is to say it. */
  bos_policy?: string;
  /** At most the bytes of a shard, and about those of what is computed at once. */
  outputLimit?: number;
}

export interface ActivationManifest {
  kind: "activations";
  format: 1;
  model: string;
  model_hash: string;
  tokenizer_hash?: string;
  /** Changes of coordinates of the model's weights, first to last. */
  processing: readonly string[];
  bos_policy: string;
  site: string;
  dtype: "float32" | "float16";
  d: number;
  n_ctx: number;
  rows: number;
  tokens: number;
  tokens_hash: string;
  shards: { file: string; rows: [from: number, to: number] }[];
  /**
   * What it was computed on, to the last bit: more than one where it was continued on another, and none
   * where an older version wrote it.
   */
  builds?: readonly BuildInfo[];
  /** Of which blocks the model's weights were, and how far off, where they were of fewer than 8 bits. */
  weights?: string;
  /** As in `RecordOptions`: how many rows go into a run, which the last bits depend on too. */
  output_limit?: number;
  moments: {
    count: number;
    mean: number[];
    meanNorm: number;
    meanSquare: number;
    variance: number;
  };
}

/** What a manifest means that does not say so. */
const plain = { processing: [] as readonly string[], bos_policy: "none" };

/** What a recording under way has to agree on, and how far it is. */
interface Progress {
  recipe: unknown;
  shards: ActivationManifest["shards"];
  builds?: readonly BuildInfo[];
  moments: MomentsState;
}

/**
 * Runs every row and writes the site's values, shard by shard: `acts-00000.safetensors` holds `acts`
 * [tokens of its rows, d]. A recording that was interrupted continues behind its last whole shard
 * and leaves the same bytes; one that is complete is returned as it is.
 */
export async function recordActivations(
  model: Model,
  backend: Backend,
  data: ActivationRows,
  {
    site,
    store,
    prefix = "",
    dtype = "float32",
    bos_policy = "none",
    outputLimit = outputLimitBytes,
  }: RecordOptions,
  context: Context = {},
): Promise<ActivationManifest> {
  const { n_ctx, rows } = data;
  const d = siteWidth(model.config, site);
  const bytesPerRow = n_ctx * d * bytesPerElement[dtype];
  const shardRows = rowsPerRun(rows, { bytesPerRow, limit: outputLimit });
  const recipe = makeRecipe(model, data, { site, dtype, bos_policy });
  const finished = await readJson<ActivationManifest>(store, `${prefix}manifest.json`);
  if (finished !== undefined) {
    checkSame(store, recipeOf(finished), recipe);
    return finished;
  }
  const progress: Progress = (await readJson<Progress>(store, `${prefix}progress.json`)) ?? {
    recipe: { ...recipe, shardRows },
    shards: [],
    moments: sumMoments(d).state(),
  };
  checkSame(store, { ...plain, ...(progress.recipe as object) }, { ...recipe, shardRows });

  const { shards } = progress;
  const build = await buildInfo(backend);
  const before = progress.builds ?? [];
  const builds = before.some((one) => isDeepStrictEqual(one, build)) ? before : [...before, build];
  const sums = sumMoments(d, progress.moments);
  let file: Shard | undefined;
  for (let from = shards.at(-1)?.rows[1] ?? 0; from < rows; from += shardRows) {
    const to = Math.min(from + shardRows, rows);
    // One shard's bytes are all that is held; shards of one size share them.
    if (file?.rows !== to - from) file = startShard(to - from, n_ctx, d, dtype);
    const part = {
      n_ctx,
      rows: to - from,
      tokens: data.tokens.subarray(from * n_ctx, to * n_ctx),
    };
    let at = 0;
    for await (const { acts } of activationStream(
      model,
      backend,
      part,
      { site, outputLimit },
      context,
    )) {
      sums.add(acts);
      put(acts, file.data, at, site);
      at += acts.length;
    }
    const key = `acts-${String(shards.length).padStart(5, "0")}.safetensors`;
    await store.put(`${prefix}${key}`, file.bytes);
    shards.push({ file: key, rows: [from, to] });
    await putJson(store, `${prefix}progress.json`, { ...progress, builds, moments: sums.state() });
    context.onProgress?.({
      stage: "record",
      done: to * n_ctx,
      total: rows * n_ctx,
      unit: "tokens",
    });
  }
  const moments = sums.moments();
  const manifest: ActivationManifest = {
    ...recipe,
    shards,
    builds,
    ...(model.blocks === undefined ? {} : { weights: weightDtype(model) }),
    output_limit: outputLimit,
    moments: { ...moments, mean: [...moments.mean] },
  };
  await putJson(store, `${prefix}manifest.json`, manifest);
  await store.delete(`${prefix}progress.json`);
  return manifest;
}

/** What a recording is of: two that agree in it hold the same numbers, but for their last bits. */
export type Recipe = Omit<
  ActivationManifest,
  "shards" | "builds" | "weights" | "output_limit" | "moments"
>;

export function makeRecipe(
  model: Model,
  data: ActivationRows,
  { site, dtype, bos_policy }: Pick<ActivationManifest, "site" | "dtype" | "bos_policy">,
): Recipe {
  const { n_ctx, rows } = data;
  return {
    kind: "activations",
    format: 1,
    model: model.config.name,
    model_hash: model.hash,
    ...(model.tokenizer === undefined ? {} : { tokenizer_hash: model.tokenizer.hash }),
    processing: [...(model.processing ?? [])],
    bos_policy,
    site,
    dtype,
    d: siteWidth(model.config, site),
    n_ctx,
    rows,
    tokens: rows * n_ctx,
    tokens_hash: hashTokens(data),
  };
}

export function recipeOf(manifest: ActivationManifest): Recipe {
  const { shards, builds, weights, output_limit, moments, ...made } = manifest;
  return { ...plain, ...made };
}

interface Shard {
  rows: number;
  bytes: Uint8Array;
  data: Float32Array | Uint16Array;
}

function startShard(rows: number, n_ctx: number, d: number, dtype: "float32" | "float16"): Shard {
  const { bytes, tensors } = frameSafetensors({ acts: { dtype, shape: [rows * n_ctx, d] } });
  return { rows, bytes, data: tensors.acts!.data as Float32Array | Uint16Array };
}

function put(acts: Float32Array, into: Float32Array | Uint16Array, at: number, site: string): void {
  if (into instanceof Float32Array) {
    into.set(acts, at);
    return;
  }
  const halves = narrowF16(acts);
  const over = halves.findIndex(
    (bits, i) => (bits & 0x7fff) === 0x7c00 && Number.isFinite(acts[i]),
  );
  check(over < 0, "activations/overflow", "an activation is too large for float16", {
    where: site,
    got: acts[over],
    wanted: "at most 65504",
    hint: "record with dtype float32",
  });
  into.set(halves, at);
}

function hashTokens({ tokens, rows, n_ctx }: ActivationRows): string {
  const used = tokens.subarray(0, rows * n_ctx);
  return createHash("sha256")
    .update(new Uint8Array(used.buffer, used.byteOffset, used.byteLength))
    .digest("hex");
}

export function checkSame(store: Store, got: unknown, wanted: unknown): void {
  check(isDeepStrictEqual(got, wanted), "activations/recipe", "another recording lies here", {
    where: store.name,
    got,
    wanted,
    hint: "choose another folder",
  });
}

export async function readJson<T>(store: Store, key: string): Promise<T | undefined> {
  try {
    return JSON.parse(await getText(store, key)) as T;
  } catch (error) {
    if (isError(error, "storage/missing")) return undefined;
    throw error;
  }
}
