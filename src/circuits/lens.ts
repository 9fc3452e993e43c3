// What would the model say if it stopped after each layer? The logit lens, and what a translator makes of it.
import { type Context, throwIfStopped } from "../base/progress.ts";
import {
  add,
  cast,
  exp,
  greater,
  input,
  logSoftmax,
  matmul,
  mul,
  program,
  reshape,
  sub,
  sum,
  takeAlong,
  topK,
  type Value,
} from "../graph/index.ts";
import { checkTokens, rowsOf } from "../hooks/index.ts";
import {
  largestRowBytes,
  type Model,
  type ModelConfig,
  residual,
  site,
  unembed,
} from "../models/index.ts";
import { type Backend, rowsPerRun, workShare } from "../runtime/index.ts";
import { f32, type Tensor, tensor } from "../tensor/tensor.ts";
import { exactControl, type Figure, figure } from "./figure.ts";
import { programOver } from "./programs.ts";

/** Affine maps from the stream before each block to what the last block leaves. */
export interface Translators {
  /** Added to the identity: x + x A + b. One a layer. */
  readonly A: readonly Tensor<"float32">[]; // [d_model, d_model]
  readonly b: readonly Tensor<"float32">[]; // [d_model]
}

export interface LensLayer {
  /** `blocks.N.hook_resid_pre`, and the last `hook_resid_post`, which is the model itself. */
  readonly site: string;
  /** The likeliest next tokens, [rows, pos, k], likeliest first, and their log-probabilities in nats. */
  readonly top: Int32Array;
  readonly logProbability: Float32Array;
  /** KL(model ‖ lens) in nats, [rows · pos]. */
  readonly kl: Float32Array;
  /** −log p(next token) in nats, [rows · pos]; NaN at a row's last. */
  readonly ce: Float32Array;
  /** How many tokens are likelier than the next one, [rows · pos]; −1 at a row's last. */
  readonly rank: Int32Array;
  /** Mean KL, beside that of the best prediction that ignores the input (on these tokens). */
  readonly meanKL: Figure;
}

export interface Lens {
  readonly k: number;
  readonly layers: readonly LensLayer[];
  /** The model's mean prediction, [d_vocab]: what ignores the input and loses least. */
  readonly meanPrediction: Float64Array;
  /** KL(model ‖ constant) in nats, [rows · pos]; for the constant handed in, else for the mean prediction. */
  readonly constantKL: Float32Array;
}

export interface LensOptions {
  /** How many of the likeliest tokens to return. */
  k?: number;
  /** A tuned lens; the plain one when left out. */
  translators?: Translators;
  /** Probabilities [d_vocab] of the control; else the mean prediction on these tokens. */
  constant?: ArrayLike<number>;
}

/** Where lenses look: before every block, and after the last. */
export function lensSites({ n_layers }: ModelConfig): string[] {
  const before = Array.from({ length: n_layers }, (_, layer) => site("resid_pre", layer));
  return [...before, site("resid_post", n_layers - 1)];
}

/**
 * The logit lens (nostalgebraist 2020): every layer's residual stream through the final norm and the
 * unembedding; with translators, the tuned lens (Belrose et al. 2023). Tokens int32 [rows, pos].
 */
export async function logitLens(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
  { k = 5, translators, constant }: LensOptions = {},
  context: Context = {},
): Promise<Lens> {
  const { config } = model;
  checkTokens(config, tokens);
  const [rows, pos] = tokens.shape as [number, number];
  const { d_vocab } = config;
  const most = Math.min(k, d_vocab);
  const sites = lensSites(config);
  const n = rows * pos;
  const layers = sites.map((wire) => ({
    site: wire,
    top: new Int32Array(n * most),
    logProbability: new Float32Array(n * most),
    kl: new Float32Array(n),
    ce: new Float32Array(n).fill(Number.NaN),
    rank: new Int32Array(n).fill(-1),
  }));
  const meanPrediction = new Float64Array(d_vocab);
  const constantKL = new Float32Array(n);
  const negativeEntropy = new Float32Array(n);
  const logConstant = constant
    ? Float32Array.from(constant, (p) => Math.log(Math.max(p, 1e-30)))
    : new Float32Array(d_vocab);
  // Every layer has logits, and none leaves the run.
  const bytesPerRow = largestRowBytes(config, pos, { logits: true }) / workShare;
  const batch = rowsPerRun(rows, { bytesPerRow });
  for (let from = 0; from < rows; from += batch) {
    throwIfStopped(context);
    const count = Math.min(batch, rows - from);
    const shape = { batch: count, pos, k: most, tuned: translators !== undefined };
    const { program: made, feeds } = lensProgram(model, shape);
    const run = await backend.compile(made);
    const part = rowsOf(tokens, from, count);
    const out = await run.run({
      ...feeds,
      ...translatorFeeds(translators),
      tokens: part,
      next: shifted(part),
      constant: f32([d_vocab, 1], logConstant),
    });
    await run.release();
    const at = from * pos;
    const floats = (name: string) => out[name]!.data as Float32Array;
    for (const [layer, to] of layers.entries()) {
      to.top.set(
        Int32Array.from(out[`top ${layer}`]!.data as ArrayLike<number>, Number),
        at * most,
      );
      to.logProbability.set(floats(`values ${layer}`), at * most);
      to.kl.set(floats(`kl ${layer}`), at);
      to.ce.set(floats(`ce ${layer}`), at);
      to.rank.set(floats(`rank ${layer}`), at);
    }
    for (let row = from; row < from + count; row++)
      for (const { ce, rank } of layers) {
        ce[row * pos + pos - 1] = Number.NaN;
        rank[row * pos + pos - 1] = -1;
      }
    const [total, known, fit] = [floats("total"), floats("known"), floats("fit")];
    for (let v = 0; v < d_vocab; v++) meanPrediction[v]! += total[v]! / n;
    negativeEntropy.set(known, at);
    for (let i = 0; i < known.length; i++) constantKL[at + i] = known[i]! - fit[i]!;
    const done = (from + count) * pos;
    context.onProgress?.({ stage: "lens", done, total: n, unit: "tokens" });
  }
  const mean = (list: Float32Array): number => list.reduce((s, x) => s + x, 0) / list.length;
  // Mean KL(p ‖ mean p) = entropy of the mean − mean entropy.
  const entropy = meanPrediction.reduce((s, p) => (p > 0 ? s - p * Math.log(p) : s), 0);
  const control = exactControl(
    "constant",
    constant === undefined ? entropy + mean(negativeEntropy) : mean(constantKL),
  );
  return {
    k: most,
    meanPrediction,
    constantKL,
    layers: layers.map((layer) => ({ ...layer, meanKL: figure(mean(layer.kl), control) })),
  };
}

/** One layer's logits through its translator. x: [batch, pos, d_model] */
export function translated(x: Value, { A, b }: { A: Value; b: Value }): Value {
  const [batch, pos, d_model] = x.shape as [number, number, number];
  const flat = reshape(x, [batch * pos, d_model]);
  return reshape(add(add(flat, matmul(flat, A)), b), [batch, pos, d_model]);
}

export function translatorInputs({ n_layers, d_model }: ModelConfig): { A: Value; b: Value }[] {
  return Array.from({ length: n_layers }, (_, layer) => ({
    A: input(`A ${layer}`, "float32", [d_model, d_model]),
    b: input(`b ${layer}`, "float32", [d_model]),
  }));
}

export function translatorFeeds(translators: Translators | undefined): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [layer, A] of (translators?.A ?? []).entries()) feeds[`A ${layer}`] = A;
  for (const [layer, b] of (translators?.b ?? []).entries()) feeds[`b ${layer}`] = b;
  return feeds;
}

/** The stream at each lens site, and the model's own log-probabilities [batch · pos, d_vocab]. */
export function lensStreams(
  config: ModelConfig,
  values: Readonly<Record<string, Value>>,
  tokens: Value,
): { streams: Value[]; read: (x: Value) => Value } {
  const wanted = lensSites(config);
  const seen = new Map<string, Value>();
  residual(config, values, tokens, {
    tap: (wire, value) => {
      if (wanted.includes(wire)) seen.set(wire, value);
      return value;
    },
  });
  const read = (x: Value): Value => {
    const [batch, pos] = x.shape as [number, number, number];
    const logits = unembed(config, values, x);
    return logSoftmax(reshape(logits, [batch * pos, config.d_vocab]), { axis: 1 });
  };
  return { streams: wanted.map((wire) => seen.get(wire)!), read };
}

function lensProgram(
  model: Model,
  { batch, pos, k, tuned }: { batch: number; pos: number; k: number; tuned: boolean },
): ReturnType<typeof programOver> {
  const { config } = model;
  return programOver(model, ["lens", batch, pos, k, tuned], ({ values, inputs }) => {
    const tokens = input("tokens", "int32", [batch, pos]);
    const next = input("next", "int32", [batch * pos, 1]);
    const constant = input("constant", "float32", [config.d_vocab, 1]);
    const maps = tuned ? translatorInputs(config) : [];
    const { streams, read } = lensStreams(config, values, tokens);
    const final = read(streams.at(-1)!);
    const p = exp(final);
    const known = sum(mul(p, final), { axes: [1] });
    const outputs: Record<string, Value> = {
      known,
      total: sum(p, { axes: [0] }),
      fit: reshape(matmul(p, constant), [batch * pos]),
    };
    for (const [layer, stream] of streams.entries()) {
      const map = maps[layer];
      const last = layer === streams.length - 1;
      const own = last ? final : read(map === undefined ? stream : translated(stream, map));
      const best = topK(own, k, { axis: 1 });
      outputs[`top ${layer}`] = best.indices;
      outputs[`values ${layer}`] = best.values;
      outputs[`kl ${layer}`] = sum(mul(p, sub(final, own)), { axes: [1] });
      const came = takeAlong(own, next, { axis: 1 });
      outputs[`ce ${layer}`] = reshape(mul(came, -1), [batch * pos]);
      outputs[`rank ${layer}`] = sum(cast(greater(own, came), "float32"), { axes: [1] });
    }
    const translators = maps.flatMap(({ A, b }) => [A, b]);
    return program({ inputs: [tokens, next, constant, ...inputs, ...translators], outputs });
  });
}

/** What comes next, [rows · pos, 1]; at a row's last position nothing does, and 0 stands there. */
function shifted({ shape, data }: Tensor<"int32">): Tensor<"int32"> {
  const [rows, pos] = shape as [number, number];
  const next = Int32Array.from(data, (_, i) => ((i + 1) % pos === 0 ? 0 : data[i + 1]!));
  return tensor("int32", [rows * pos, 1], next);
}
