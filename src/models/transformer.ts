// What a decoder-only transformer computes: tokens → residual stream → logits, as graph values.
// Formulae and names as in TransformerLens; n layers, learned positions, layer norm or none.
import {
  add,
  concat,
  constant,
  div,
  expand,
  gather,
  gelu,
  input,
  matmul,
  mean,
  mul,
  relu,
  reshape,
  silu,
  slice,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  transpose,
  type Value,
} from "../graph/index.ts";
import { f32 } from "../tensor/tensor.ts";
import { type ModelConfig, weightShapes } from "./config.ts";

export type Weights = Readonly<Record<string, Value>>;

/** Sees each site's value in order of the forward pass; what it returns is used from there on. */
export type Tap = (site: string, value: Value) => Value;

export interface ForwardOptions {
  tap?: Tap;
}

const untouched: Tap = (_, value) => value;
const lnEps = 1e-5;
const activations = { relu, gelu, silu };

/** One graph input a weight: for training, and where several models share a program. */
export function weightInputs(config: ModelConfig): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => [
      name,
      input(name, "float32", [...shape]),
    ]),
  );
}

/** `tokens` int32 [batch, pos] → logits [batch, pos, d_vocab]. */
export function forward(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  { tap = untouched }: ForwardOptions = {},
): { logits: Value } {
  const resid = residual(config, weights, tokens, { tap });
  return { logits: unembed(config, weights, resid, { tap }) };
}

/** `tokens` int32 [batch, pos] → the residual stream after the last block, [batch, pos, d_model]. */
export function residual(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  { tap = untouched }: ForwardOptions = {},
): Value {
  const [batch, pos] = tokens.shape as [number, number];
  const embedded = tap("hook_embed", gather(weights["embed.W_E"]!, tokens, { axis: 0 }));
  const place = slice(weights["pos_embed.W_pos"]!, { axis: 0, start: 0, end: pos });
  const places = expand(place, [batch, pos, config.d_model]);
  const tapped = tap("hook_pos_embed", places);
  let x = add(embedded, tapped === places ? place : tapped);
  for (let layer = 0; layer < config.n_layers; layer++)
    x = block(config, weights, x, { tap, at: `blocks.${layer}` });
  return x;
}

/** Residual stream [batch, pos, d_model] → logits [batch, pos, d_vocab]. */
export function unembed(
  config: ModelConfig,
  weights: Weights,
  resid: Value,
  { tap = untouched }: ForwardOptions = {},
): Value {
  const x = norm(config, weights, resid, { tap, at: "ln_final" });
  return linear(x, weights["unembed.W_U"]!, weights["unembed.b_U"]!);
}

interface At {
  tap: Tap;
  at: string;
}

// x: [batch, pos, d_model]
function block(config: ModelConfig, weights: Weights, x: Value, { tap, at }: At): Value {
  const pre = tap(`${at}.hook_resid_pre`, x);
  const read = norm(config, weights, pre, { tap, at: `${at}.ln1` });
  const attended = attention(config, weights, read, { tap, at: `${at}.attn` });
  const mid = tap(`${at}.hook_resid_mid`, add(pre, tap(`${at}.hook_attn_out`, attended)));

  const seen = norm(config, weights, mid, { tap, at: `${at}.ln2` });
  const before = linear(seen, weights[`${at}.mlp.W_in`]!, weights[`${at}.mlp.b_in`]!);
  const act = activations[config.act_fn];
  const neurons = tap(`${at}.mlp.hook_post`, act(tap(`${at}.mlp.hook_pre`, before)));
  const out = linear(neurons, weights[`${at}.mlp.W_out`]!, weights[`${at}.mlp.b_out`]!);
  return tap(`${at}.hook_resid_post`, add(mid, tap(`${at}.hook_mlp_out`, out)));
}

// x: [batch, pos, d_model]; q, k, v, z: [batch, pos, head, d_head]; scores: [batch, head, query, key]
function attention(config: ModelConfig, weights: Weights, x: Value, { tap, at }: At): Value {
  const { d_model, n_heads, d_head } = config;
  const [batch, pos] = x.shape as [number, number, number];
  const width = n_heads * d_head;
  // One product for all three: [d_model, 3 · head · d_head].
  const packed = concat(
    ["W_Q", "W_K", "W_V"].map((name) =>
      reshape(transpose(weights[`${at}.${name}`]!, [1, 0, 2]), [d_model, width]),
    ),
    { axis: 1 },
  );
  const bias = concat(
    ["b_Q", "b_K", "b_V"].map((name) => reshape(weights[`${at}.${name}`]!, [width])),
    { axis: 0 },
  );
  const qkv = linear(x, packed, bias);
  const part = (i: number): Value =>
    reshape(slice(qkv, { axis: 2, start: i * width, end: (i + 1) * width }), [
      batch,
      pos,
      n_heads,
      d_head,
    ]);
  const q = transpose(tap(`${at}.hook_q`, part(0)), [0, 2, 1, 3]);
  const k = transpose(tap(`${at}.hook_k`, part(1)), [0, 2, 3, 1]);
  const v = transpose(tap(`${at}.hook_v`, part(2)), [0, 2, 1, 3]);

  // Scaling the queries costs less than scaling the scores.
  const raw = matmul(mul(q, 1 / Math.sqrt(d_head)), k);
  const scores = tap(`${at}.hook_attn_scores`, add(raw, causalMask(pos)));
  const pattern = tap(`${at}.hook_pattern`, softmax(scores, { axis: 3 }));
  const z = tap(`${at}.hook_z`, transpose(matmul(pattern, v), [0, 2, 1, 3]));

  const W_O = weights[`${at}.W_O`]!;
  const b_O = weights[`${at}.b_O`]!;
  // Each head's own output is computed only where somebody reads or replaces it.
  const result = transpose(matmul(transpose(z, [0, 2, 1, 3]), W_O), [0, 2, 1, 3]);
  const tapped = tap(`${at}.hook_result`, result);
  if (tapped !== result) return add(sum(tapped, { axes: [2] }), b_O);
  return linear(reshape(z, [batch, pos, width]), reshape(W_O, [width, d_model]), b_O);
}

/** 0 where a query may look, −∞ where the key lies ahead of it: [query, key]. */
function causalMask(pos: number): Value {
  const mask = Float32Array.from({ length: pos * pos }, (_, i) =>
    i % pos > Math.floor(i / pos) ? -Infinity : 0,
  );
  return constant(f32([pos, pos], mask));
}

// Biased variance, eps inside the root; sites before weight and bias, as in TransformerLens.
function norm(config: ModelConfig, weights: Weights, x: Value, { tap, at }: At): Value {
  if (config.normalization === "none") return x;
  const centred = sub(x, mean(x, { axes: [2], keepDims: true }));
  const variance = mean(square(centred), { axes: [2], keepDims: true });
  const scale = tap(`${at}.hook_scale`, sqrt(add(variance, lnEps)));
  const normalized = tap(`${at}.hook_normalized`, div(centred, scale));
  return add(mul(normalized, weights[`${at}.w`]!), weights[`${at}.b`]!);
}

/** x [batch, pos, in] · W [in, out] + b, as one flat product: its gradient is one product too. */
function linear(x: Value, W: Value, b: Value): Value {
  const [batch, pos, width] = x.shape as [number, number, number];
  const flat = add(matmul(reshape(x, [batch * pos, width]), W), b);
  return reshape(flat, [batch, pos, W.shape[1]!]);
}
