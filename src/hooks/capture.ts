// What is inside a model while it reads: any site's values, with or without interventions.
import { check } from "../base/errors.ts";
import { input, type Program, program, type Value } from "../graph/index.ts";
import {
  bindWeights,
  findSite,
  forward,
  largestRowBytes,
  type Model,
  type ModelConfig,
  siteShape,
} from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun, workShare } from "../runtime/index.ts";
import { allocate, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { feedName, type Intervention, tapOf } from "./interventions.ts";
import { remembered } from "./memo.ts";

export interface CaptureOptions {
  /** Site strings, e.g. `blocks.0.mlp.hook_post`. */
  sites?: readonly string[];
  /** Whether to compute the logits too; without them the model is run only as far as needed. */
  logits?: boolean;
  interventions?: readonly Intervention[];
  /** A run's outputs beyond this many bytes are split over several runs. */
  outputLimit?: number;
}

/**
 * Runs int32 tokens [batch, pos] and returns the values at the sites, float32 by site string, as
 * they are after the interventions. Errors: `site/unknown`, `site/unavailable`, `hooks/tokens`.
 */
export async function runWithCache(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  { sites = [], logits, interventions = [], outputLimit = outputLimitBytes }: CaptureOptions = {},
): Promise<{ logits?: Tensor<"float32">; cache: Record<string, Tensor<"float32">> }> {
  const { config } = model;
  const { feeds: weights } = bindWeights(model);
  checkTokens(config, tokens);
  const [rows, pos] = tokens.shape as [number, number];
  const wanted = { sites, logits: logits ?? sites.length === 0 };
  const shapes = outputShapes(config, wanted, pos);
  const bytesPerRow = Object.values(shapes).reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  const work = largestRowBytes(config, pos, wanted) / workShare;
  const batch = rowsPerRun(rows, { bytesPerRow: Math.max(bytesPerRow, work), limit: outputLimit });
  const results = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      tensor("float32", [rows, ...shape], allocate("float32", rows * sizeOf(shape))),
    ]),
  );
  for (let from = 0; from < rows; from += batch) {
    const n = Math.min(batch, rows - from);
    const run = await backend.compile(
      captureProgram(model, { batch: n, pos, ...wanted, interventions }),
    );
    const feeds: Record<string, Tensor> = { ...weights, tokens: rowsOf(tokens, from, n) };
    interventions.forEach((by, i) => {
      if (by.kind === "replace") feeds[feedName(i)] = rowsOf(by.with, from, n);
    });
    const into = Object.fromEntries(
      Object.entries(results).map(([name, all]) => [name, rowsOf(all, from, n)]),
    );
    await run.run(feeds, into);
    await run.release();
  }
  const { logits: last, ...cache } = results;
  return last === undefined ? { cache } : { logits: last, cache };
}

/** Tokens [batch, pos] and all weights → the sites by their strings, and `logits` if wanted. */
export function captureProgram(
  model: Model,
  {
    batch,
    pos,
    sites = [],
    logits = false,
    interventions = [],
  }: CaptureOptions & { batch: number; pos: number },
): Program {
  const { config } = model;
  for (const site of sites) findSite(config, site);
  const weights = bindWeights(model);
  return remembered(["capture", weights.key, batch, pos, sites, logits], interventions, () => {
    const tokens = input("tokens", "int32", [batch, pos]);
    const { tap, inputs } = tapOf(config, interventions);
    const outputs: Record<string, Value> = {};
    // The whole model is described and only what the outputs need is lowered.
    const out = forward(config, weights.values, tokens, {
      tap: (site, value) => {
        const changed = tap(site, value);
        if (sites.includes(site)) outputs[site] = changed;
        return changed;
      },
    });
    if (logits) outputs.logits = out.logits;
    return program({ inputs: [tokens, ...weights.inputs, ...inputs], outputs });
  });
}

function outputShapes(
  config: ModelConfig,
  { sites, logits }: { sites: readonly string[]; logits: boolean },
  pos: number,
): Record<string, number[]> {
  const shapes = sites.map((site) => [site, siteShape(config, site, { batch: 1, pos }).slice(1)]);
  if (logits) shapes.push(["logits", [pos, config.d_vocab]]);
  return Object.fromEntries(shapes);
}

/** Rows [from, from + n) of the first axis, sharing memory. A single row serves for all. */
export function rowsOf<T extends Tensor>(all: T, from: number, n: number): T {
  const [, ...rest] = all.shape;
  const width = sizeOf(rest);
  if (from === 0 && n === all.shape[0]) return all;
  const data = (all.data as Float32Array).subarray(from * width, (from + n) * width);
  return tensor(all.dtype, [n, ...rest], data) as unknown as T;
}

export function checkTokens(config: ModelConfig, { dtype, shape, data }: Tensor): void {
  const wanted = `int32 [batch, pos ≤ ${config.n_ctx}]`;
  check(dtype === "int32" && shape.length === 2, "hooks/tokens", "these are not rows of tokens", {
    got: `${dtype} [${shape.join(", ")}]`,
    wanted,
  });
  check(
    shape[0]! > 0 && shape[1]! > 0 && shape[1]! <= config.n_ctx,
    "hooks/tokens",
    "the rows do not fit the model",
    { got: `[${shape.join(", ")}]`, wanted },
  );
  const odd = (data as Int32Array).find((id) => id < 0 || id >= config.d_vocab);
  check(odd === undefined, "hooks/tokens", "a token is outside the vocabulary", {
    got: odd,
    wanted: `0 to ${config.d_vocab - 1}`,
  });
}
