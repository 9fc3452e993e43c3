// ONNX Runtime's own operators, as its optimiser and exporters fuse them.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { attend, joinHeads, rotate, splitHeads } from "./attend.ts";
import { arg, type Call, flag, int, ints, type OnnxOp, real, reals, text } from "./call.ts";
import { conv } from "./convolve.ts";
import { entry, microsoft, range, wholes } from "./entries.ts";
import { gemm } from "./linear.ts";

function fusedMatMul(call: Call): Value {
  if (flag(call, "transBatchA") || flag(call, "transBatchB")) call.refuse("transposed batches");
  return g.matmul(arg(call, 0), arg(call, 1), {
    transA: flag(call, "transA"),
    transB: flag(call, "transB"),
    alpha: real(call, "alpha", 1),
  });
}

/** What follows a fused product. */
function activated(x: Value, call: Call): Value {
  const name = text(call, "activation", "");
  const [alpha = 0.01, beta] = reals(call, "activation_params") ?? [];
  if (name === "" || name === "Relu") return name === "" ? x : g.relu(x);
  if (name === "Tanh") return g.tanh(x);
  if (name === "Sigmoid") return g.sigmoid(x);
  if (name === "LeakyRelu")
    return g.where(g.less(x, 0), g.mul(x, real(call, "activation_alpha", alpha)), x);
  if (name === "Clip") return g.clip(x, { min: alpha, max: beta });
  if (name === "HardSigmoid")
    return g.clip(g.add(g.mul(x, alpha), beta ?? 0.5), { min: 0, max: 1 });
  return call.refuse(`the activation ${name}`);
}

function fusedConv(call: Call): Value {
  const out = conv(call);
  return activated(call.inputs[3] === undefined ? out : g.add(out, call.inputs[3]), call);
}

/** Both norms after a residual sum; the sum itself is the fourth result. */
function skipNorm(call: Call, centred: boolean): (Value | undefined)[] {
  const [x, skip, weight] = [arg(call, 0), arg(call, 1), arg(call, 2)];
  const bias = call.inputs[centred ? 4 : 3];
  const both = g.add(x, skip);
  const sum = bias === undefined ? both : g.add(both, bias);
  const eps = real(call, "epsilon", 1e-12);
  if (!centred) return [g.rmsNorm(sum, { weight, eps }), undefined, undefined, sum];
  return [g.layerNorm(sum, { weight, bias: call.inputs[3], eps }), undefined, undefined, sum];
}

function embedLayerNorm(call: Call): (Value | undefined)[] {
  const [tokens, segments] = [arg(call, 0), call.inputs[1]];
  const [words, positions, types] = [arg(call, 2), arg(call, 3), call.inputs[4]];
  const [batch, pos] = tokens.shape as [number, number];
  const at = call.inputs[8] ?? wholes(range(pos), [1, pos]);
  const parts = [g.gather(words, tokens), g.gather(positions, at)];
  if (segments !== undefined && types !== undefined) parts.push(g.gather(types, segments));
  const sum = parts.reduce((a, b) => g.add(a, b));
  const out = g.layerNorm(sum, {
    weight: arg(call, 5),
    bias: call.inputs[6],
    eps: real(call, "epsilon", 1e-12),
  });
  const mask = call.inputs[7];
  const length =
    mask === undefined
      ? g.expand(g.scalar(0, "int32"), [batch])
      : g.sum(g.cast(mask, "int32"), { axes: 1 });
  return [out, length, sum];
}

/** Additive masks, as those operators write them: a finite number instead of −∞. */
function biasOf(
  call: Call,
  mask: Value | undefined,
  added: Value | undefined,
  q: Value,
  keys: number,
) {
  const barred = real(call, "mask_filter_value", -10000);
  const parts: Value[] = [];
  if (mask !== undefined) {
    if (mask.shape.length !== 2 || mask.shape[1] !== keys)
      call.refuse("a mask that is not [batch, keys]");
    const kept = g.cast(mask, "bool");
    const zero = g.scalar(0, q.dtype);
    parts.push(
      g.reshape(g.where(kept, zero, g.scalar(barred, q.dtype)), [mask.shape[0]!, 1, 1, keys]),
    );
  }
  if (added !== undefined) parts.push(added);
  if (flag(call, "unidirectional")) {
    const queries = q.shape[2]!;
    const row = wholes(
      range(queries).map((i) => i + keys - queries),
      [queries, 1],
    );
    const seen = g.lessEqual(wholes(range(keys), [1, keys]), row);
    const never = g.scalar(Number.NEGATIVE_INFINITY, q.dtype);
    parts.push(g.where(seen, g.scalar(0, q.dtype), never));
  }
  return parts.length === 0 ? undefined : parts.reduce((a, b) => g.add(a, b));
}

function attention(call: Call): (Value | undefined)[] {
  const [x, weight, bias, past] = [arg(call, 0), arg(call, 1), call.inputs[2], call.inputs[4]];
  const heads = int(call, "num_heads", 1);
  if (flag(call, "do_rotary")) call.refuse("rotary positions");
  const third = weight.shape[1]! / 3;
  const sizes = ints(call, "qkv_hidden_sizes") ?? [third, third, third];
  const product = g.matmul(x, weight);
  const all = bias === undefined ? product : g.add(product, bias);
  let start = 0;
  const [q, k, v] = sizes.map((size) => {
    start += size;
    return splitHeads(g.slice(all, { axis: 2, start: start - size, end: start }), heads);
  }) as [Value, Value, Value];
  const before = (i: number) => g.squeeze(g.slice(past!, { axis: 0, start: i, end: i + 1 }), 0);
  const [keys, values] =
    past === undefined
      ? [k, v]
      : [g.concat([before(0), k], { axis: 2 }), g.concat([before(1), v], { axis: 2 })];
  const scale = real(call, "scale", 0) || 1 / Math.sqrt(q.shape[3]!);
  const added = biasOf(call, call.inputs[3], call.inputs[5], q, keys.shape[2]!);
  const { out } = attend({ q, k: keys, v: values, scale, bias: added });
  const present = g.concat([g.unsqueeze(keys, 0), g.unsqueeze(values, 0)], { axis: 0 });
  return [joinHeads(out), present];
}

function multiHead(call: Call): (Value | undefined)[] {
  const heads = int(call, "num_heads", 1);
  const packed = call.inputs[3];
  if (arg(call, 0).shape.length !== 3) call.refuse("packed queries, keys and values");
  let start = 0;
  const side = (i: number): Value => {
    const x = arg(call, i);
    if (x.shape.length === 4) return x;
    const width = x.shape[2]!;
    const own = packed && g.slice(packed, { axis: 0, start, end: start + width });
    start += width;
    return splitHeads(own === undefined ? x : g.add(x, own), heads);
  };
  const [q, k, v] = [side(0), side(1), side(2)];
  const [pastK, pastV] = [call.inputs[6], call.inputs[7]];
  const keys = pastK === undefined ? k : g.concat([pastK, k], { axis: 2 });
  const values = pastV === undefined ? v : g.concat([pastV, v], { axis: 2 });
  const scale = real(call, "scale", 0) || 1 / Math.sqrt(q.shape[3]!);
  const bias = biasOf(call, call.inputs[4], call.inputs[5], q, keys.shape[2]!);
  return [joinHeads(attend({ q, k: keys, v: values, scale, bias }).out), keys, values];
}

function rotary(call: Call): Value {
  const [x, positions] = [arg(call, 0), arg(call, 1)];
  const flat = x.shape.length === 3;
  const pos = x.shape[flat ? 1 : 2]!;
  // One number is where the first position stands.
  const at =
    positions.shape.length === 1
      ? g.add(g.reshape(positions, [1, 1]), wholes(range(pos), [1, pos]))
      : positions;
  const cache = (i: number) => g.gather(arg(call, i), at);
  const half = arg(call, 2).shape[1]!;
  const heads = int(call, "num_heads", 0) || (flat ? x.shape[2]! / (2 * half) : 1);
  const out = rotate({
    x: flat ? splitHeads(x, heads) : x,
    cos: cache(2),
    sin: cache(3),
    interleaved: flag(call, "interleaved"),
  });
  return flat ? joinHeads(out) : out;
}

const biased = (call: Call) =>
  call.inputs[1] === undefined ? arg(call, 0) : g.add(arg(call, 0), call.inputs[1]);

function quickGelu(call: Call): Value {
  const x = arg(call, 0);
  return g.mul(x, g.sigmoid(g.mul(x, real(call, "alpha", 1.702))));
}

export const fused: readonly OnnxOp[] = [
  microsoft("FusedMatMul", fusedMatMul),
  microsoft("FusedGemm", (call) => activated(gemm(call), call)),
  microsoft("FusedConv", fusedConv),
  microsoft("Gelu", (call) => g.gelu(arg(call, 0))),
  microsoft("BiasGelu", (call) => g.gelu(biased(call))),
  microsoft("FastGelu", (call) => g.geluTanh(biased(call))),
  microsoft("QuickGelu", quickGelu),
  microsoft("SkipLayerNormalization", (call) => skipNorm(call, true), "no mean and deviation"),
  microsoft("SkipSimplifiedLayerNormalization", (call) => skipNorm(call, false), "no deviation"),
  entry("EmbedLayerNormalization", ["int32"], embedLayerNorm, { domain: "com.microsoft" }),
  microsoft("Attention", attention, "masks [batch, keys]; no rotary positions"),
  microsoft("MultiHeadAttention", multiHead, "masks [batch, keys]; nothing packed"),
  microsoft("RotaryEmbedding", rotary),
];
