// How is a tuned lens learned, and does it say on texts it never saw what the model will say?
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import {
  bootstrapInterval,
  type Claim,
  claim,
  type Estimate,
  type LabelledTokens,
  type Resamples,
  resampleDocuments,
} from "../evidence/index.ts";
import { add, exp, grad, input, mul, program, sub, sum, type Value } from "../graph/index.ts";
import type { LossRows } from "../hooks/index.ts";
import type { Model } from "../models/index.ts";
import { adamRates, adamUpdate, schedule } from "../nn/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor, zeros } from "../tensor/tensor.ts";
import { lensStreams, logitLens, type Translators, translated, translatorInputs } from "./lens.ts";
import { programOver } from "./programs.ts";

export interface TunedLens extends Translators {
  readonly model_hash: string;
  readonly steps: number;
  readonly tokens: number;
  readonly seed: number;
  /** Mean KL(model ‖ lens) over layers at each step, nats. */
  readonly losses: readonly number[];
  /** The model's mean prediction on the first training rows, [d_vocab]: the control's constant. */
  readonly constant: Float64Array;
}

export interface TunedLensOptions {
  steps?: number;
  /** Rows a step. */
  batch?: number;
  lr?: number;
  seed?: number;
}

/**
 * Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens": one
 * affine map a layer, from the identity, minimising KL(model ‖ lens) summed over layers; Adam with a
 * rate that falls to zero. `rows` are texts of the grow or dictionary split; the model is untouched.
 */
export async function trainTunedLens(
  model: Model,
  backend: Backend,
  { n_ctx: pos, rows, tokens }: LossRows,
  { steps = 250, batch = 8, lr = 1e-3, seed = 0 }: TunedLensOptions = {},
  context: Context = {},
): Promise<TunedLens> {
  const { config } = model;
  check(rows >= 1 && pos <= config.n_ctx, "circuits/rows", "these rows do not fit the model", {
    got: `${rows} of ${pos}`,
    wanted: `rows of at most ${config.n_ctx}`,
  });
  const size = Math.min(batch, rows);
  const { program: made, feeds } = stepProgram(model, size, pos);
  const run = await backend.compile(made);
  let state = startState(model);
  const rate = schedule({ lr, steps, decay: "linear" });
  const rng = random(seed).stream("tuned lens");
  const order = Array.from({ length: rows }, (_, row) => row);
  let left: number[] = [];
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    throwIfStopped(context);
    const data = new Int32Array(size * pos);
    for (let i = 0; i < size; i++) {
      if (left.length === 0) left = rng.shuffle(order.slice());
      const row = left.pop()!;
      data.set(tokens.subarray(row * pos, (row + 1) * pos), i * pos);
    }
    const out = await run.run({
      ...feeds,
      ...state,
      tokens: tensor("int32", [size, pos], data),
      rates: adamRates(step + 1, rate(step)),
    });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, out[`next ${name}`]!]));
    const loss = (out.loss!.data as Float32Array)[0]! / config.n_layers;
    losses.push(loss);
    context.onProgress?.({
      stage: "tuned lens",
      done: step + 1,
      total: steps,
      unit: "steps",
      metrics: { kl: loss },
    });
  }
  await run.release();
  const of = (name: string) =>
    Array.from({ length: config.n_layers }, (_, l) => state[`${name} ${l}`] as Tensor<"float32">);
  const some = Math.min(rows, 32);
  const seen = tensor("int32", [some, pos], tokens.slice(0, some * pos));
  const { meanPrediction } = await logitLens(model, backend, seen, { k: 1 }, context);
  return {
    A: of("A"),
    b: of("b"),
    model_hash: model.hash,
    steps,
    tokens: steps * size * pos,
    seed,
    losses,
    constant: meanPrediction,
  };
}

export interface LensVerdict {
  readonly site: string;
  /** KL(model ‖ tuned lens) on held-out texts, nats, beside the constant prediction. */
  readonly claim: Claim;
  /** The plain lens on the same tokens, nats. */
  readonly plain: Estimate;
  /** Plain less tuned, nats: above zero where training helped. */
  readonly gain: Estimate;
}

/**
 * Judges a tuned lens on rows it was not trained on, by documents resampled: for each layer the mean
 * KL(model ‖ lens) of the tuned lens, of the plain one, and of the constant mean prediction.
 */
export async function judgeTunedLens(
  model: Model,
  backend: Backend,
  lens: TunedLens,
  rows: LossRows & Pick<LabelledTokens, "doc" | "documents">,
  { seed = 0, split = "eval" }: { seed?: number; split?: "select" | "eval" } = {},
  context: Context = {},
): Promise<LensVerdict[]> {
  check(lens.model_hash === model.hash, "circuits/lens", "the lens belongs to another model", {
    got: lens.model_hash,
    wanted: model.hash,
  });
  const n = rows.rows * rows.n_ctx;
  const tokens = tensor("int32", [rows.rows, rows.n_ctx], rows.tokens.subarray(0, n));
  const { constant } = lens;
  const tuned = await logitLens(
    model,
    backend,
    tokens,
    { k: 1, translators: lens, constant },
    context,
  );
  const plain = await logitLens(model, backend, tokens, { k: 1 }, context);
  const present = new Uint8Array(rows.documents.length);
  for (let t = 0; t < n; t++) present[rows.doc[t]!] = 1;
  const resamples = resampleDocuments(present, random(seed).stream("documents"));
  const perDocument = (values: (t: number) => number): Float64Array => {
    const sums = new Float64Array(rows.documents.length);
    for (let t = 0; t < n; t++) sums[rows.doc[t]!]! += values(t);
    return sums;
  };
  const count = perDocument(() => 1);
  const mean = (values: (t: number) => number): Estimate =>
    meanOf(perDocument(values), count, resamples);
  const floor = mean((t) => tuned.constantKL[t]!);
  return tuned.layers.slice(0, -1).map(({ site, kl }, layer) => {
    const before = plain.layers[layer]!.kl;
    return {
      site,
      claim: claim({
        id: `tuned-lens-${site}`,
        statement: `From ${site} an affine map says what the model will say`,
        metric: "KL(model ‖ lens), nats",
        better: "lower",
        estimate: mean((t) => kl[t]!),
        control: { ...floor, kind: "constant", draws: 0 },
        baselines: [],
        chosen_on: null,
        judged_on: split,
        n,
        n_documents: present.reduce((sum, x) => sum + x, 0),
        n_tried: 1,
        margin: 0,
        seeds: [lens.seed],
      }),
      plain: mean((t) => before[t]!),
      gain: mean((t) => before[t]! - kl[t]!),
    };
  });
}

function meanOf(sums: Float64Array, count: Float64Array, resamples: Resamples): Estimate {
  return bootstrapInterval([sums, count], ([sum, n]) => sum! / n!, resamples);
}

const moments = ["", "m:", "v:"] as const;

function startState({ config: { n_layers, d_model } }: Model): Record<string, Tensor> {
  const state: Record<string, Tensor> = {};
  for (const prefix of moments)
    for (let layer = 0; layer < n_layers; layer++) {
      state[`${prefix}A ${layer}`] = zeros("float32", [d_model, d_model]);
      state[`${prefix}b ${layer}`] = zeros("float32", [d_model]);
    }
  return state;
}

/** One step of Adam on the translators alone: gradients of the weights are never made. */
function stepProgram(model: Model, batch: number, pos: number): ReturnType<typeof programOver> {
  const { config } = model;
  return programOver(model, ["tuned lens", batch, pos], ({ values, inputs }) => {
    const tokens = input("tokens", "int32", [batch, pos]);
    const rates = input("rates", "float32", [3]);
    const maps = translatorInputs(config);
    const { streams, read } = lensStreams(config, values, tokens);
    const final = read(streams.at(-1)!);
    const p = exp(final);
    const losses = maps.map((map, layer) =>
      sum(mul(p, sub(final, read(translated(streams[layer]!, map))))),
    );
    const total = losses.reduce((a, b) => add(a, b));
    const params: Record<string, Value> = {};
    for (const [layer, { A, b }] of maps.entries())
      Object.assign(params, { [`A ${layer}`]: A, [`b ${layer}`]: b });
    const names = Object.keys(params);
    const made = grad(total, Object.values(params));
    const like = (prefix: string) =>
      Object.fromEntries(
        names.map((name) => [name, input(`${prefix}${name}`, "float32", params[name]!.shape)]),
      );
    const state = { m: like("m:"), v: like("v:"), rates };
    const grads = Object.fromEntries(names.map((name, i) => [name, made[i]!]));
    const scale = 1 / (batch * pos);
    const next = adamUpdate(params, grads, state, { gradScale: scale });
    const outputs: Record<string, Value> = { loss: mul(total, scale) };
    for (const name of names) {
      outputs[`next ${name}`] = next.params[name]!;
      outputs[`next m:${name}`] = next.m[name]!;
      outputs[`next v:${name}`] = next.v[name]!;
    }
    const rest = [params, state.m, state.v].flatMap((record) => Object.values(record));
    return program({ inputs: [tokens, rates, ...inputs, ...rest], outputs });
  });
}
