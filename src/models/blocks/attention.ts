// What attention computes: queries and keys → scores → pattern → values mixed, head by head.
import {
  add,
  concat,
  expand,
  matmul,
  mul,
  reshape,
  shortcut,
  slice,
  softmax,
  sum,
  tanh,
  transpose,
  type Value,
  where,
} from "../../graph/index.ts";
import { keyValueHeads } from "../config.ts";
import { linear } from "./linear.ts";
import type { Mask } from "./mask.ts";
import { norm } from "./norm.ts";
import type { Turn } from "./rope.ts";
import type { Place } from "./scope.ts";

/** Keys (turned already) and values, [batch, key head, pos, d_head]. */
export interface KeyValues {
  readonly k: Value;
  readonly v: Value;
}

export interface AttentionOptions {
  mask?: Mask;
  turn?: Turn;
  /** Of the positions before these. */
  past?: KeyValues;
}

/** x [batch, pos, d_model] → what is written, and the keys and values of these positions. */
export function attention(
  place: Place,
  x: Value,
  { mask, turn = (same) => same, past }: AttentionOptions,
): { out: Value; present: KeyValues } {
  const { config, weights, tap, at, layer } = place;
  const made = project(place, x);
  const whole = config.qk_norm === "whole";
  const ready = (which: "q" | "k", tapped: Value): Value => {
    const turned = turn(whole ? tapped : headNorm(place, tapped, which));
    return config.positions === "rotary" ? tap(`${at}.hook_rot_${which}`, turned) : turned;
  };
  // [batch, pos, head, d_head]
  const { q: q0, k: k0, v } = made;
  const q = transpose(ready("q", q0), [0, 2, 1, 3]);
  const keys = ready("k", k0);
  const present = { k: transpose(keys, [0, 2, 1, 3]), v: transpose(v, [0, 2, 1, 3]) };

  // Scaling the queries costs less than scaling the scores.
  const depth = config.scale_by_inverse_layer ? layer + 1 : 1;
  const scale = (config.attn_scale ?? 1 / Math.sqrt(config.d_head)) / depth;
  const scaled = mul(q, scale);
  const own = perGroup(scaled, transpose(keys, [0, 2, 3, 1]));
  const raw =
    past === undefined
      ? own
      : concat([perGroup(scaled, past.k, { transB: true }), own], { axis: 3 });
  const capped = softcap(raw, config.attn_softcap);
  const masked = mask === undefined ? capped : add(capped, mask.add);
  const scores = tap(`${at}.hook_attn_scores`, masked);
  const sinks = config.attn_sinks ? weights[`${at}.sinks`] : undefined;
  const seen = distribution(scores, { any: mask?.any, sinks });
  const pattern = tap(`${at}.hook_pattern`, seen);
  let mixed = mix(pattern, present.v, past?.v);
  const untouched = scores === masked && pattern === seen;
  // A sink moves along when there are fewer keys, and sums would run in another order.
  if (past === undefined && mask !== undefined && untouched && sinks === undefined) {
    const quick = mixByBlocks({ q, scale, ...present }, { config, mask });
    if (quick !== undefined) mixed = shortcut(mixed, quick, [scores, pattern]);
  }
  const z = tap(`${at}.hook_z`, transpose(mixed, [0, 2, 1, 3]));
  return { out: write(place, z), present };
}

/** Queries, keys and values as they are read, [batch, pos, head, d_head]. */
function project(place: Place, x: Value): { q: Value; k: Value; v: Value } {
  const { config, weights, tap, at } = place;
  const { d_model, n_heads, d_head } = config;
  const [batch, pos] = x.shape as [number, number, number];
  const kv = keyValueHeads(config);
  const heads = { Q: n_heads, K: kv, V: kv };
  const names = ["Q", "K", "V"] as const;
  const flatW = (of: "Q" | "K" | "V"): Value =>
    reshape(transpose(weights[`${at}.W_${of}`]!, [1, 0, 2]), [d_model, heads[of] * d_head]);
  const flatB = (of: "Q" | "K" | "V"): Value | undefined => {
    const b = weights[`${at}.b_${of}`];
    return b && reshape(b, [heads[of] * d_head]);
  };
  const split = (flat: Value, of: "Q" | "K" | "V"): Value =>
    reshape(flat, [batch, pos, heads[of], d_head]);
  const see = (flat: Value, of: "Q" | "K" | "V"): Value =>
    tap(`${at}.hook_${of.toLowerCase()}`, split(flat, of));
  // The norm over all heads reads the flat product, after the site.
  const wide = (seen: Value, of: "Q" | "K"): Value => {
    if (config.qk_norm !== "whole") return seen;
    const width = heads[of] * d_head;
    const which = of.toLowerCase() as "q" | "k";
    return split(qkNorm(place, reshape(seen, [batch, pos, 1, width]), which), of);
  };

  // Weights that are fed one by one: one product for all three, [d_model, (heads + 2 kv) · d_head].
  if (names.every((of) => weights[`${at}.W_${of}`]!.op === "input")) {
    const packed = concat(names.map(flatW), { axis: 1 });
    const biases = names.map(flatB);
    const bias = biases.every((b) => b !== undefined) ? concat(biases, { axis: 0 }) : undefined;
    const qkv = linear(x, packed, bias);
    let start = 0;
    const [q, k, v] = names.map((of) => {
      const end = start + heads[of] * d_head;
      const part = slice(qkv, { axis: 2, start, end });
      start = end;
      return see(part, of);
    }) as [Value, Value, Value];
    return { q: wide(q, "Q"), k: wide(k, "K"), v };
  }
  const [q, k, v] = names.map((of) => see(linear(x, flatW(of), flatB(of)), of)) as [
    Value,
    Value,
    Value,
  ];
  return { q: wide(q, "Q"), k: wide(k, "K"), v };
}

function headNorm(place: Place, x: Value, which: "q" | "k"): Value {
  return place.config.qk_norm === "head" ? qkNorm(place, x, which) : x;
}

function qkNorm({ config, weights, tap, at }: Place, x: Value, which: "q" | "k"): Value {
  const { normalization: kind, eps = 1e-5, norm_offset: offset } = config;
  const place = `${at}.${which}_norm`;
  const [weight, bias] = [weights[`${place}.w`], weights[`${place}.b`]];
  return norm(x, { kind, eps, offset, weight, bias, tap, at: place });
}

/** c · tanh(x / c). */
export function softcap(x: Value, cap: number | undefined): Value {
  return cap === undefined ? x : mul(tanh(mul(x, 1 / cap)), cap);
}

/** Per query head a [batch, head, rows, n] with its group's b [batch, key head, …]. */
function perGroup(a: Value, b: Value, { transB = false } = {}): Value {
  const [batch, heads, rows, n] = a.shape as [number, number, number, number];
  const groups = b.shape[1]!;
  if (heads === groups) return matmul(a, b, { transB });
  // The heads of a group lie one after another: together they are more rows.
  const together = reshape(a, [batch, groups, (heads / groups) * rows, n]);
  const out = matmul(together, b, { transB });
  return reshape(out, [batch, heads, rows, out.shape[3]!]);
}

/** Softmax over keys; a query that sees none mixes nothing. */
function distribution(scores: Value, { any, sinks }: { any?: Value; sinks?: Value }): Value {
  const [batch, heads, query, key] = scores.shape as [number, number, number, number];
  if (sinks !== undefined) {
    const column = expand(reshape(sinks, [1, heads, 1, 1]), [batch, heads, query, 1]);
    const all = softmax(concat([scores, column], { axis: 3 }), { axis: 3 });
    return slice(all, { axis: 3, start: 0, end: key });
  }
  if (any === undefined) return softmax(scores, { axis: 3 });
  // Chosen before and after: nothing of what is not a number gets into a gradient.
  const pattern = softmax(where(any, scores, 0), { axis: 3 });
  return where(any, pattern, 0);
}

/** Queries that are mixed together; whole vectors of every kernel, so that sums run in one order. */
const blockRows = 64;

/**
 * What all queries mix, [batch, head, query, d_head], a block of queries at a time, each over the
 * keys that any of them sees: half of the work of a causal pattern. None where nothing would be saved.
 */
function mixByBlocks(
  { q, scale, k, v }: KeyValues & { q: Value; scale: number },
  { config, mask }: { config: Place["config"]; mask: Mask },
): Value | undefined {
  const pos = q.shape[2]!;
  const { sees } = mask;
  if (sees === undefined || mask.any !== undefined || pos < 2 * blockRows) return undefined;
  const parts: Value[] = [];
  for (let start = 0; start < pos; start += blockRows) {
    const end = Math.min(start + blockRows, pos);
    const keys = {
      start: Math.floor(sees(start).start / blockRows) * blockRows,
      end: sees(end - 1).end,
    };
    const rows = { axis: 2, start, end };
    const products = perGroup(slice(q, rows), slice(k, { axis: 2, ...keys }), { transB: true });
    const raw = mul(products, scale);
    const own = slice(slice(mask.add, { axis: 0, start, end }), { axis: 1, ...keys });
    const pattern = distribution(add(softcap(raw, config.attn_softcap), own), {});
    parts.push(perGroup(pattern, slice(v, { axis: 2, ...keys })));
  }
  return concat(parts, { axis: 2 });
}

/** pattern [batch, head, query, key] · values of past and present → [batch, head, query, d_head]. */
function mix(pattern: Value, own: Value, past: Value | undefined): Value {
  if (past === undefined) return perGroup(pattern, own);
  const [end, middle] = [pattern.shape[3]!, past.shape[2]!];
  const old = perGroup(slice(pattern, { axis: 3, start: 0, end: middle }), past);
  return add(old, perGroup(slice(pattern, { axis: 3, start: middle, end }), own));
}

/** z [batch, pos, head, d_head] → [batch, pos, d_model]. */
function write({ config, weights, tap, at }: Place, z: Value): Value {
  const { d_model, n_heads, d_head } = config;
  const [batch, pos] = z.shape as [number, number, number, number];
  const W_O = weights[`${at}.W_O`]!;
  const b_O = weights[`${at}.b_O`];
  // Each head's own output is computed only where somebody reads or replaces it.
  const result = transpose(matmul(transpose(z, [0, 2, 1, 3]), W_O), [0, 2, 1, 3]);
  const tapped = tap(`${at}.hook_result`, result);
  if (tapped !== result) {
    const total = sum(tapped, { axes: [2] });
    return b_O === undefined ? total : add(total, b_O);
  }
  const flat = reshape(z, [batch, pos, n_heads * d_head]);
  return linear(flat, reshape(W_O, [n_heads * d_head, d_model]), b_O);
}
