// Attention and rotary positions, as ONNX has them from operator set 23.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { arg, type Call, flag, int, type OnnxOp, real } from "./call.ts";
import { entry, floats, range, wholes } from "./entries.ts";

/** [batch, pos, heads · d] → [batch, heads, pos, d]. */
export function splitHeads(x: Value, heads: number): Value {
  const [batch, pos, width] = x.shape as [number, number, number];
  return g.transpose(g.reshape(x, [batch, pos, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, pos, d] → [batch, pos, heads · d]. */
export function joinHeads(x: Value): Value {
  const [batch, heads, pos, d] = x.shape as [number, number, number, number];
  return g.reshape(g.transpose(x, [0, 2, 1, 3]), [batch, pos, heads * d]);
}

/** Key heads that several query heads share: [h0, h0, h1, h1, …]. */
function shareHeads(x: Value, heads: number): Value {
  const [batch, own, pos, d] = x.shape as [number, number, number, number];
  if (own === heads) return x;
  const wide = g.expand(g.unsqueeze(x, 2), [batch, own, heads / own, pos, d]);
  return g.reshape(wide, [batch, heads, pos, d]);
}

export interface Attending {
  q: Value;
  k: Value;
  v: Value;
  scale: number;
  /** What is added to the scores, before the softmax. */
  bias?: Value;
  softcap?: number;
}

/** softmax(q·kᵀ · scale + bias)·v; a row that may see nothing gives zeros. */
export function attend({ q, k, v, scale, bias, softcap = 0 }: Attending) {
  const heads = q.shape[1]!;
  const raw = g.matmul(q, shareHeads(k, heads), { transB: true, alpha: scale });
  const capped = softcap > 0 ? g.mul(g.tanh(g.div(raw, softcap)), softcap) : raw;
  const biased = bias === undefined ? capped : g.add(capped, bias);
  const top = bias === undefined ? undefined : g.max(bias, { axes: -1, keepDims: true });
  const blind = top && g.equal(top, Number.NEGATIVE_INFINITY);
  // Nothing to see: the scores are put back to 0, the result to 0, so that no NaN arises.
  const scores = blind === undefined ? biased : g.where(blind, g.scalar(0, q.dtype), biased);
  const soft = g.softmax(scores, { axis: -1 });
  const pattern = blind === undefined ? soft : g.where(blind, g.scalar(0, q.dtype), soft);
  return { out: g.matmul(pattern, shareHeads(v, heads)), raw, capped, biased, pattern };
}

/** −∞ where a key is not `allowed`, 0 elsewhere. */
function barred(allowed: Value, q: Value): Value {
  return g.where(allowed, g.scalar(0, q.dtype), g.scalar(Number.NEGATIVE_INFINITY, q.dtype));
}

/** The mask as what is added; shorter masks bar the keys that they do not name. */
function maskBias(mask: Value, q: Value, keys: number): Value {
  const bias = mask.dtype === "bool" ? barred(mask, q) : mask;
  const missing = keys - bias.shape.at(-1)!;
  if (missing <= 0) return bias;
  const sides = bias.shape.map((_, i) => [0, i === bias.shape.length - 1 ? missing : 0]);
  return g.pad(bias, sides, { value: Number.NEGATIVE_INFINITY });
}

function attention(call: Call): (Value | undefined)[] {
  const flat = arg(call, 0).shape.length === 3;
  const heads = [int(call, "q_num_heads", 0), int(call, "kv_num_heads", 0)] as const;
  const split = (i: number, n: number) => (flat ? splitHeads(arg(call, i), n) : arg(call, i));
  const q = split(0, heads[0]);
  const join = (past: Value | undefined, now: Value) =>
    past === undefined ? now : g.concat([past, now], { axis: 2 });
  const [pastK, pastV] = [call.inputs[4], call.inputs[5]];
  const k = join(pastK, split(1, heads[1]));
  const v = join(pastV, split(2, heads[1]));
  const [queries, keys] = [q.shape[2]!, k.shape[2]!];
  const filledKeys = call.inputs[6];
  const parts: Value[] = [];
  if (call.inputs[3] !== undefined) parts.push(maskBias(call.inputs[3], q, keys));
  // How many keys come before the queries: of the cache, or of a cache that is filled from outside.
  const past = pastK?.shape[2] ?? 0;
  const outside = pastK === undefined && filledKeys !== undefined;
  const batch = q.shape[0]!;
  const offset = outside
    ? g.reshape(g.sub(g.cast(filledKeys, "int64"), queries), [batch, 1, 1, 1])
    : wholes([past], [1, 1, 1, 1]);
  const row = g.add(wholes(range(queries), [1, 1, queries, 1]), offset);
  const key = wholes(range(keys), [1, 1, 1, keys]);
  if (flag(call, "is_causal")) parts.push(barred(g.lessEqual(key, row), q));
  const [left, right] = [int(call, "left_window_size", -1), int(call, "right_window_size", -1)];
  if (left >= 0) parts.push(barred(g.lessEqual(g.sub(row, key), left), q));
  if (right >= 0) parts.push(barred(g.lessEqual(g.sub(key, row), right), q));
  if (filledKeys !== undefined) {
    const held = g.reshape(g.cast(filledKeys, "int64"), [batch, 1, 1, 1]);
    parts.push(barred(g.less(key, held), q));
  }
  const bias = parts.length === 0 ? undefined : parts.reduce((a, b) => g.add(a, b));
  const scale = real(call, "scale", 0) || 1 / Math.sqrt(q.shape[3]!);
  const made = attend({ q, k, v, scale, bias, softcap: real(call, "softcap", 0) });
  const modes = [made.raw, made.capped, made.biased, made.pattern];
  const shown = modes[int(call, "qk_matmul_output_mode", 0)] ?? call.refuse("that output mode");
  return [flat ? joinHeads(made.out) : made.out, k, v, shown];
}

export interface Rotary {
  /** [batch, heads, pos, d] */
  x: Value;
  /** [batch or 1, pos, half] */
  cos: Value;
  sin: Value;
  interleaved: boolean;
}

/** Rotates pairs of the first 2 · half numbers of each head (Su et al. 2021). */
export function rotate({ x, cos, sin, interleaved }: Rotary): Value {
  const half = cos.shape.at(-1)!;
  const turned = g.slice(x, { axis: 3, end: 2 * half });
  const rest = g.slice(x, { axis: 3, start: 2 * half });
  const [c, s] = [g.unsqueeze(cos, 1), g.unsqueeze(sin, 1)];
  const [a, b] = interleaved
    ? [g.slice(turned, { axis: 3, step: 2 }), g.slice(turned, { axis: 3, start: 1, step: 2 })]
    : [g.slice(turned, { axis: 3, end: half }), g.slice(turned, { axis: 3, start: half })];
  const first = g.sub(g.mul(a, c), g.mul(b, s));
  const second = g.add(g.mul(a, s), g.mul(b, c));
  const out = interleaved
    ? g.reshape(
        g.concat([g.unsqueeze(first, 4), g.unsqueeze(second, 4)], { axis: 4 }),
        turned.shape,
      )
    : g.concat([first, second], { axis: 3 });
  return rest.shape[3] === 0 ? out : g.concat([out, rest], { axis: 3 });
}

function rotaryEmbedding(call: Call): Value {
  const x = arg(call, 0);
  const flat = x.shape.length === 3;
  const positions = call.inputs[3];
  const cache = (i: number) =>
    positions === undefined ? arg(call, i) : g.gather(arg(call, i), positions);
  const out = rotate({
    x: flat ? splitHeads(x, int(call, "num_heads", 1)) : x,
    cos: cache(1),
    sin: cache(2),
    interleaved: flag(call, "interleaved"),
  });
  return flat ? joinHeads(out) : out;
}

export const attentions: readonly OnnxOp[] = [
  entry("Attention", floats, attention, { since: 23 }),
  entry("RotaryEmbedding", floats, rotaryEmbedding, { since: 23 }),
];
