// What part of the model spoke for a token: how much does each write, read along its logit?
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { runWithCache } from "../hooks/index.ts";
import { hasExperts } from "../models/config.ts";
import { type Model, readWeight, site, sitesOf } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Answers, checkAnswers, logitDifferences, positionOf } from "./answers.ts";
import { drawnControl, type Figure, figure } from "./figure.ts";
import { biasOf, gainOf, hasFinalNorm } from "./head-weights.ts";

export type Part =
  | { readonly kind: "embed" | "pos_embed" | "unembed_bias" | "final_norm_bias" }
  | { readonly kind: "head"; readonly layer: number; readonly head: number }
  | { readonly kind: "neuron"; readonly layer: number; readonly neuron: number }
  /** A mixture of experts, whose neurons are not seen. */
  | { readonly kind: "mlp" | "attn_bias" | "mlp_bias"; readonly layer: number };

export interface Attribution {
  /** What the model says, logit(right) − logit(wrong), one a row. */
  readonly difference: Float64Array;
  /** Each part's share, in logits, [rows]; all parts sum to `difference`. */
  readonly parts: readonly { readonly part: Part; readonly logits: Float64Array }[];
}

/**
 * Direct logit attribution (nostalgebraist 2020; Elhage et al. 2021; Wang et al. 2022): everything
 * that is written to the stream at the answer's position, read along W_U[right] − W_U[wrong], with
 * the scales of norms on the way held at what they were. A sum over one layer is a layer's share.
 * Tokens int32 [rows, pos]. Errors: `circuits/attribution` where logits are capped.
 */
export async function directAttribution(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
  answers: Answers,
): Promise<Attribution> {
  checkAnswers(model, tokens, answers);
  const cache = await recorded(model, backend, tokens);
  const difference = await logitDifferences(model, backend, tokens, answers);
  return { difference, parts: await partsOf(model, cache, tokens.shape, answers) };
}

async function partsOf(
  model: Model,
  cache: Cache,
  shape: readonly number[],
  answers: Answers,
): Promise<Attribution["parts"]> {
  const { config } = model;
  const [rows, pos] = shape as [number, number];
  const read = await readerOf(model, cache, { rows, pos, answers });
  const parts: { part: Part; logits: Float64Array }[] = [];
  const add = (part: Part, logits: Float64Array): void => void parts.push({ part, logits });
  const along = (values: Tensor, directions: readonly Float64Array[], width: number, from = 0) =>
    Float64Array.from({ length: rows }, (_, row) => {
      const stride = values.data.length / (rows * pos);
      const start = (row * pos + positionOf(answers, row, pos)) * stride + from;
      let sum = 0;
      for (let i = 0; i < width; i++)
        sum += (values.data as Float32Array)[start + i]! * directions[row]![i]!;
      return sum;
    });
  const { directions } = read;
  const { d_model, d_head, n_heads, d_mlp } = config;
  add({ kind: "embed" }, along(cache[site("embed")]!, directions, d_model));
  if (config.positions === "learned")
    add({ kind: "pos_embed" }, along(cache[site("pos_embed")]!, directions, d_model));

  for (let layer = 0; layer < config.n_layers; layer++) {
    const attn = await written(model, cache, `blocks.${layer}.ln1`, read, { rows, pos, answers });
    const W_O = await readWeight(model, `blocks.${layer}.attn.W_O`);
    const z = cache[site("z", layer)]!;
    for (let head = 0; head < n_heads; head++) {
      const W = W_O.data.subarray(head * d_head * d_model, (head + 1) * d_head * d_model);
      const inner = attn.directions.map((d) => through(W, d_head, d_model, d));
      add({ kind: "head", layer, head }, along(z, inner, d_head, head * d_head));
    }
    const b_O = await biasOf(model, `blocks.${layer}.attn.b_O`);
    add({ kind: "attn_bias", layer }, sums(attn, b_O));
    if (config.attn_only) continue;
    if (hasNeurons(model, layer)) {
      const mlp = await written(model, cache, `blocks.${layer}.ln2`, read, { rows, pos, answers });
      const { data } = await readWeight(model, `blocks.${layer}.mlp.W_out`);
      const inner = mlp.directions.map((d) => through(data, d_mlp, d_model, d));
      const post = cache[site("mlp_post", layer)]!;
      for (let neuron = 0; neuron < d_mlp; neuron++) {
        const one = inner.map((d) => d.subarray(neuron, neuron + 1));
        add({ kind: "neuron", layer, neuron }, along(post, one, 1, neuron));
      }
      add({ kind: "mlp_bias", layer }, sums(mlp, await biasOf(model, `blocks.${layer}.mlp.b_out`)));
    } else add({ kind: "mlp", layer }, along(cache[site("mlp_out", layer)]!, directions, d_model));
  }
  add({ kind: "final_norm_bias" }, read.normBias);
  add({ kind: "unembed_bias" }, read.bias);
  return parts;
}

/** What the stream holds after each layer: the running sum of the parts, without final biases. */
export function accumulated({ parts }: Attribution): {
  readonly layer: number; // −1: the embeddings alone
  readonly after: "embed" | "attn" | "mlp";
  readonly logits: Float64Array;
}[] {
  const steps: { layer: number; after: "embed" | "attn" | "mlp"; logits: Float64Array }[] = [];
  for (const { part, logits } of parts) {
    if (part.kind === "final_norm_bias" || part.kind === "unembed_bias") continue;
    const layer = "layer" in part ? part.layer : -1;
    const attends = part.kind === "head" || part.kind === "attn_bias";
    const after = layer < 0 ? "embed" : attends ? "attn" : "mlp";
    const last = steps.at(-1);
    if (last?.layer === layer && last.after === after)
      for (let row = 0; row < logits.length; row++) last.logits[row]! += logits[row]!;
    else steps.push({ layer, after, logits: logits.map((x, row) => x + (last?.logits[row] ?? 0)) });
  }
  return steps;
}

export interface PartFigure {
  readonly part: Part;
  /** Mean over rows, in logits; the control is the same part's mean on random pairs of tokens. */
  readonly logits: Figure;
  /** The same mean in each of the random pairs, so that shares can be added up with their controls. */
  readonly drawn: readonly number[];
}

/** Mean shares of all parts beside their shares in random differences of two tokens. */
export async function attributionFigures(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
  answers: Answers,
  { draws = 16, seed = 0 }: { draws?: number; seed?: number } = {},
): Promise<PartFigure[]> {
  const rng = random(seed).stream("attribution");
  const rows = tokens.shape[0]!;
  const any = () => Int32Array.from({ length: rows }, () => rng.int(model.config.d_vocab));
  const mean = (x: Float64Array): number => x.reduce((sum, y) => sum + y, 0) / x.length;
  checkAnswers(model, tokens, answers);
  const cache = await recorded(model, backend, tokens);
  const of = (which: Answers) => partsOf(model, cache, tokens.shape, which);
  const drawn: Attribution["parts"][] = [];
  for (let draw = 0; draw < draws; draw++)
    drawn.push(await of({ ...answers, right: any(), ...(answers.wrong && { wrong: any() }) }));
  return (await of(answers)).map(({ part, logits }, i) => {
    const others = drawn.map((parts) => mean(parts[i]!.logits));
    const control = draws === 0 ? [] : [drawnControl("random-tokens", others)];
    return { part, logits: figure(mean(logits), ...control), drawn: others };
  });
}

type Cache = Readonly<Record<string, Tensor<"float32">>>;

interface Rows {
  readonly rows: number;
  readonly pos: number;
  readonly answers: Answers;
}

interface Reader {
  /** What a vector in the final stream adds to the difference, by row: [rows][d_model]. */
  readonly directions: readonly Float64Array[];
  readonly normBias: Float64Array;
  readonly bias: Float64Array;
}

function hasNeurons({ config }: Model, layer: number): boolean {
  return !config.attn_only && !hasExperts(config, layer);
}

/** Everything that parts are computed from. */
async function recorded(model: Model, backend: Backend, tokens: Tensor<"int32">): Promise<Cache> {
  const { config } = model;
  check(
    config.encoder === undefined,
    "circuits/attribution",
    "an encoder's logits are no sum of parts",
    { where: config.name },
  );
  check(
    config.logits_softcap === undefined,
    "circuits/attribution",
    "capped logits are no sum of parts",
    { where: config.name, got: `logits_softcap ${config.logits_softcap}` },
  );
  const layers = Array.from({ length: config.n_layers }, (_, layer) => layer);
  const scales = config.norm_placement === "post" ? ["ln1", "ln2"] : ["ln1_post", "ln2_post"];
  const wanted = new Set([
    site("embed"),
    site("pos_embed"),
    site("ln_final_scale"),
    ...layers.flatMap((layer) => [
      site("z", layer),
      site(hasNeurons(model, layer) ? "mlp_post" : "mlp_out", layer),
      ...scales.map((name) => `blocks.${layer}.${name}.hook_scale`),
    ]),
  ]);
  const sites = sitesOf(config).filter((wire) => wanted.has(wire));
  return (await runWithCache(model, backend, tokens, { sites })).cache;
}

async function readerOf(model: Model, cache: Cache, { rows, pos, answers }: Rows): Promise<Reader> {
  const { config } = model;
  const { data: W_U } = await readWeight(model, "unembed.W_U");
  const b_U = await biasOf(model, "unembed.b_U");
  const { d_vocab, logits_multiplier: by = 1, d_model } = config;
  const norm = hasFinalNorm(config);
  const gain = norm ? await gainOf(model, "ln_final") : undefined;
  const normBias = norm ? await biasOf(model, "ln_final.b") : undefined;
  const { right, wrong } = answers;
  const out = { normBias: new Float64Array(rows), bias: new Float64Array(rows) };
  const directions = Array.from({ length: rows }, (_, row) => {
    const [a, b] = [right[row]!, wrong?.[row]];
    const d = Float64Array.from(
      { length: d_model },
      (_, i) => by * (W_U[i * d_vocab + a]! - (b === undefined ? 0 : W_U[i * d_vocab + b]!)),
    );
    if (b_U !== undefined) out.bias[row] = by * (b_U[a]! - (b === undefined ? 0 : b_U[b]!));
    if (normBias !== undefined) out.normBias[row] = product(normBias, d);
    if (!norm) return d;
    const scale = cache[site("ln_final_scale")]!.data[row * pos + positionOf(answers, row, pos)]!;
    return throughNorm(d, { gain, scale, centres: config.normalization === "LN" });
  });
  return { ...out, directions };
}

/** Directions for what a sublayer makes before its own norm and multiplier, and that norm's bias. */
async function written(
  model: Model,
  cache: Cache,
  ln: string,
  { directions }: Pick<Reader, "directions">,
  { rows, pos, answers }: Rows,
): Promise<{ directions: readonly Float64Array[]; bias: Float64Array }> {
  const { norm_placement = "pre", resid_multiplier: by = 1, normalization } = model.config;
  const scaled = by === 1 ? directions : directions.map((d) => d.map((x) => by * x));
  const none = { directions: scaled, bias: new Float64Array(rows) };
  if (norm_placement === "pre" || normalization === "none") return none;
  const at = norm_placement === "post" ? ln : `${ln}_post`;
  const gain = await gainOf(model, at);
  const bias = await biasOf(model, `${at}.b`);
  const scale = cache[`${at}.hook_scale`]!.data;
  return {
    directions: scaled.map((d, row) =>
      throughNorm(d, {
        gain,
        scale: scale[row * pos + positionOf(answers, row, pos)]!,
        centres: normalization === "LN",
      }),
    ),
    bias: Float64Array.from(scaled, (d) => (bias === undefined ? 0 : product(bias, d))),
  };
}

function sums(
  { directions, bias }: { directions: readonly Float64Array[]; bias: Float64Array },
  b: Float64Array | undefined,
): Float64Array {
  return bias.map((x, row) => x + (b === undefined ? 0 : product(b, directions[row]!)));
}

/** d such that d·x is d′·norm(x), at this scale: (g ∘ d′ − mean) / scale. */
function throughNorm(
  d: Float64Array,
  { gain, scale, centres }: { gain?: Float64Array; scale: number; centres: boolean },
): Float64Array {
  const out = d.map((x, i) => (x * (gain?.[i] ?? 1)) / scale);
  if (!centres) return out;
  const mean = out.reduce((sum, x) => sum + x, 0) / out.length;
  return out.map((x) => x - mean);
}

/** W [rows, columns] · d. */
function through(W: Float32Array, rows: number, columns: number, d: Float64Array): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += W[i * columns + j]! * d[j]!;
    return sum;
  });
}

function product(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}
