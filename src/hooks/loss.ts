// How well a model predicts when the values at a site are other ones: cross entropy token by token.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { input, type Program, program } from "../graph/index.ts";
import { findSite, largestRowBytes, type Model, nextTokenLosses } from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun, workShare } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { feedsOf, tapOf } from "./apply.ts";
import { captureProgram } from "./capture.ts";
import { type Intervention, replaceWith } from "./interventions.ts";
import { boundWeights, remembered } from "./memo.ts";
import { type Handed, joined, nothing, type Plan, planInterventions } from "./plan.ts";
import { checkTokens, rowsOf } from "./rows.ts";

/** The part of `TokenRows` that is needed. */
export interface LossRows {
  readonly n_ctx: number;
  readonly rows: number;
  readonly tokens: Int32Array;
}

export interface LossOptions extends Handed {
  /** What is changed beside; before `replace` reads its site. */
  interventions?: readonly Intervention[];
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
  {
    site,
    replace,
    interventions = [],
    feeds: handed,
    splices,
    outputLimit = outputLimitBytes,
  }: LossOptions = {},
  context: Context = {},
): Promise<{ ce: Float32Array }> {
  const { config } = model;
  const { feeds: weights } = boundWeights(model);
  const { n_ctx: pos, rows } = data;
  const tokens = tensor("int32", [rows, pos], data.tokens.subarray(0, rows * pos));
  checkTokens(config, tokens);
  const plan = planInterventions(config, interventions, tokens, { feeds: handed, splices });
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
    const part = rowsOf(tokens, from, n);
    const feeds: Record<string, Tensor> = { ...weights, ...feedsOf(plan, from, n), tokens: part };
    let whole = plan;
    if (site !== undefined) {
      const read = captureProgram(model, { batch: n, pos, sites: [site], plan });
      const value = (await (await backend.compile(read)).run(feeds))[site] as Tensor<"float32">;
      const put = tensor("float32", value.shape, await replace!(value.data, n * pos));
      // The replacement comes last, of these rows alone.
      const last = planInterventions(config, [replaceWith(site, put)], part, {
        first: interventions.length,
      });
      whole = joined(plan, last);
      Object.assign(feeds, feedsOf(last, 0, n));
    }
    const down = await backend.compile(lossProgram(model, { batch: n, pos, plan: whole }));
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
  { batch, pos, plan = nothing }: { batch: number; pos: number; plan?: Plan },
): Program {
  const { config } = model;
  const weights = boundWeights(model);
  return remembered(["loss", weights.key, batch, pos], plan, () => {
    const tokens = input("tokens", "int32", [batch, pos]);
    const changes = tapOf(plan, batch);
    const ce = nextTokenLosses(config, weights.values, tokens, { tap: changes.tap });
    changes.check();
    return program({ inputs: [tokens, ...weights.inputs, ...changes.inputs], outputs: { ce } });
  });
}
