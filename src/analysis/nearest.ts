// Which features write nearly the same direction, and do they fire together?

import type { FeatureColumns } from "../dictionaries/sparse.ts";
import type { Product } from "../evidence/bootstrap.ts";
import { columnOf } from "../evidence/judge.ts";

export interface Near {
  index: number;
  cosine: number;
}

/** Most similar decoder rows of every feature, by cosine. `W_dec` is [d_sae, d_in]. */
export async function nearestRows(
  W_dec: Float32Array,
  d_sae: number,
  { product, n = 8, block = 256 }: { product: Product; n?: number; block?: number },
): Promise<Near[][]> {
  const d = W_dec.length / d_sae;
  const unit = new Float32Array(W_dec.length);
  const turned = new Float32Array(W_dec.length); // [d_in, d_sae]
  for (let f = 0; f < d_sae; f++) {
    let square = 0;
    for (let i = 0; i < d; i++) square += W_dec[f * d + i]! ** 2;
    const length = Math.sqrt(square) || 1;
    for (let i = 0; i < d; i++) {
      const x = W_dec[f * d + i]! / length;
      unit[f * d + i] = x;
      turned[i * d_sae + f] = x;
    }
  }
  const near: Near[][] = [];
  for (let from = 0; from < d_sae; from += block) {
    const m = Math.min(block, d_sae - from);
    const rows = unit.subarray(from * d, (from + m) * d).slice();
    const cosines = await product(rows, turned, { m, k: d, n: d_sae });
    for (let i = 0; i < m; i++)
      near.push(topOf(cosines.subarray(i * d_sae, (i + 1) * d_sae), from + i, n));
  }
  return near;
}

function topOf(cosines: Float32Array, self: number, n: number): Near[] {
  const top: Near[] = [];
  for (let j = 0; j < cosines.length; j++) {
    const cosine = cosines[j]!;
    if (j === self || (top.length === n && cosine <= top[n - 1]!.cosine)) continue;
    if (top.length === n) top.pop();
    let at = top.length;
    while (at > 0 && top[at - 1]!.cosine < cosine) at--;
    top.splice(at, 0, { index: j, cosine });
  }
  return top;
}

/** Σ a and Σ a² of every feature. */
export function activationSums(columns: FeatureColumns): {
  sum: Float64Array;
  square: Float64Array;
} {
  const sum = new Float64Array(columns.d_sae);
  const square = new Float64Array(columns.d_sae);
  for (let f = 0; f < columns.d_sae; f++)
    for (let i = columns.offsets[f]!; i < columns.offsets[f + 1]!; i++) {
      const a = columns.value[i]!;
      sum[f]! += a;
      square[f]! += a * a;
    }
  return { sum, square };
}

/** One feature's activations by token. A bit a token tells where to look: the bits fit the cache. */
export interface TokenScratch {
  acts: Float32Array; // [n_tokens]
  active: Uint32Array; // [n_tokens / 32], zero between calls
}

export function tokenScratch(n_tokens: number): TokenScratch {
  return { acts: new Float32Array(n_tokens), active: new Uint32Array((n_tokens >>> 5) + 1) };
}

/**
 * Pearson r of activations (zeros included) of one feature with others. `known` keeps what was computed:
 * neighbours are mostly mutual.
 */
export function activationCorrelations(
  columns: FeatureColumns,
  feature: number,
  others: readonly number[],
  moments: { sum: ArrayLike<number>; square: ArrayLike<number> },
  { scratch, known }: { scratch: TokenScratch; known: Map<number, number | null> },
): (number | null)[] {
  const n = columns.n_tokens;
  const keyOf = (other: number): number =>
    Math.min(feature, other) * columns.d_sae + Math.max(feature, other);
  const variance = (f: number): number => moments.square[f]! - moments.sum[f]! ** 2 / n;
  const own = columnOf(columns, feature);
  const { acts, active } = scratch;
  const fresh = others.filter((other) => !known.has(keyOf(other)));
  if (fresh.length > 0)
    for (let i = 0; i < own.token.length; i++) {
      const t = own.token[i]!;
      acts[t] = own.value[i]!;
      active[t >>> 5]! |= 1 << (t & 31);
    }
  for (const other of fresh) {
    let cross = 0;
    const { token, value } = columnOf(columns, other);
    for (let i = 0; i < token.length; i++) {
      const t = token[i]!;
      if ((active[t >>> 5]! >>> (t & 31)) & 1) cross += acts[t]! * value[i]!;
    }
    const spread = Math.sqrt(variance(feature) * variance(other));
    const r = (cross - (moments.sum[feature]! * moments.sum[other]!) / n) / spread;
    known.set(keyOf(other), spread > 0 ? r : null);
  }
  if (fresh.length > 0) for (const t of own.token) active[t >>> 5] = 0;
  return others.map((other) => known.get(keyOf(other)) ?? null);
}
