// How well a model predicts when the values at a site are other ones: cross entropy token by token.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { input, type Program, program } from "../graph/index.ts";
import {
  bindWeights,
  findSite,
  largestRowBytes,
  type Model,
  nextTokenLosses,
} from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun, workShare } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { captureProgram, checkTokens } from "./capture.ts";
import { feedName, type Intervention, replaceWith, tapOf } from "./interventions.ts";
import { remembered } from "./memo.ts";

/** The part of `TokenRows` that is needed. */
export interface LossRows {
  readonly n_ctx: number;
  readonly rows: number;
  readonly tokens: Int32Array;
}

export interface LossOptions {
  site?: string;
  /** `acts` are [n, width] at the site, `n` tokens in row order; returns as many numbers. */
  replace?: (acts: Float32Array, n: number) => Float32Array | Promise<Float32Array>;
  outputLimit?: number;
}

/**
 * −log p(next token) in nats at each position of each row, NaN at a row's last, where nothing is
 * predicted. With `replace`, the values at the site are taken out of one program and put back,
 * changed, into a second.
 */
export async function lossWith(
  model: Model,
  backend: Backend,
  data: LossRows,
  { site, replace, outputLimit = outputLimitBytes }: LossOptions = {},
  context: Context = {},
): Promise<{ ce: Float32Array }> {
  const { config } = model;
  const { feeds: weights } = bindWeights(model);
  const { n_ctx: pos, rows } = data;
  checkTokens(config, tensor("int32", [rows, pos], data.tokens.subarray(0, rows * pos)));
  check(
    (site === undefined) === (replace === undefined),
    "hooks/loss",
    "a site and what to put there are given together",
    { got: { site, replace: typeof replace } },
  );
  if (site !== undefined) findSite(config, site);
  // The logits never leave the program, but they are the largest thing in it.
  const bytesPerRow = largestRowBytes(config, pos, { logits: true }) / workShare;
  const batch = rowsPerRun(rows, { bytesPerRow, limit: outputLimit });
  const ce = new Float32Array(rows * pos).fill(Number.NaN);
  for (let from = 0; from < rows; from += batch) {
    throwIfStopped(context);
    const n = Math.min(batch, rows - from);
    const part = data.tokens.subarray(from * pos, (from + n) * pos);
    const feeds: Record<string, Tensor> = { ...weights, tokens: tensor("int32", [n, pos], part) };
    const by: Intervention[] = [];
    if (site !== undefined) {
      const up = await backend.compile(captureProgram(model, { batch: n, pos, sites: [site] }));
      const value = (await up.run(feeds))[site] as Tensor<"float32">;
      const put = await replace!(value.data, n * pos);
      by.push(replaceWith(site, tensor("float32", value.shape, put)));
    }
    const down = await backend.compile(lossProgram(model, { batch: n, pos, interventions: by }));
    by.forEach((one, i) => {
      if (one.kind === "replace") feeds[feedName(i)] = one.with;
    });
    const result = (await down.run(feeds)).ce!.data as Float32Array;
    for (let row = 0; row < n; row++)
      ce.set(result.subarray(row * (pos - 1), (row + 1) * (pos - 1)), (from + row) * pos);
    context.onProgress?.({
      stage: "loss",
      done: (from + n) * pos,
      total: rows * pos,
      unit: "tokens",
    });
  }
  return { ce };
}

/** Tokens [batch, pos] and the weights → `ce` [batch, pos − 1], nats. */
export function lossProgram(
  model: Model,
  {
    batch,
    pos,
    interventions = [],
  }: { batch: number; pos: number; interventions?: readonly Intervention[] },
): Program {
  const { config } = model;
  const weights = bindWeights(model);
  return remembered(["loss", weights.key, batch, pos], interventions, () => {
    const tokens = input("tokens", "int32", [batch, pos]);
    const { tap, inputs } = tapOf(config, interventions);
    const ce = nextTokenLosses(config, weights.values, tokens, { tap });
    return program({ inputs: [tokens, ...weights.inputs, ...inputs], outputs: { ce } });
  });
}
