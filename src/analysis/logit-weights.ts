// Which next tokens does a feature raise, and which does it lower? Its decoder row through the unembedding.
import type { Product } from "../evidence/bootstrap.ts";
import { evenHistogram, rounded } from "./histograms.ts";
import type { Histogram } from "./page.ts";

/** The linear path from what a dictionary writes to the logits. */
export interface LogitPath {
  /** [d_in, d_model], or null where the dictionary already writes to the residual stream. */
  W_out: Float32Array | null;
  /** [d_model, d_vocab] */
  W_U: Float32Array;
  d_model: number;
  d_vocab: number;
  /** False where a layer norm lies between: its scale and weight are then left out. */
  exact: boolean;
}

export interface LogitSummary {
  up: { token: number; value: number }[];
  down: { token: number; value: number }[];
  histogram: Histogram;
  kurtosis: number;
}

/**
 * What one unit of activation adds to every logit: W_dec W_out W_U / scale. [n, d_vocab]
 * `rows` are n decoder rows, [n, d_in].
 */
export async function logitWeights(
  rows: Float32Array,
  n: number,
  path: LogitPath,
  { product, scale = 1 }: { product: Product; scale?: number },
): Promise<Float32Array> {
  const { d_model, d_vocab, W_out, W_U } = path;
  const k = rows.length / n;
  const written =
    W_out === null ? rows.slice() : await product(rows, W_out, { m: n, k, n: d_model });
  if (scale !== 1) for (let i = 0; i < written.length; i++) written[i]! /= scale;
  return product(written, W_U, { m: n, k: d_model, n: d_vocab });
}

/** The ends and the shape of one row of logit weights, its median over the vocabulary subtracted. */
export function summarizeLogits(
  row: Float32Array,
  { ends = 10, bins = 40 }: { ends?: number; bins?: number } = {},
): LogitSummary {
  const n = row.length;
  const some = Math.min(ends, n);
  const shifted = row.slice();
  const below = place(shifted, (n - 1) >>> 1);
  const median = below + (place(shifted, n >>> 1) - below) / 2;
  for (let i = 0; i < n; i++) shifted[i]! -= median;
  const high = place(shifted, n - some);
  const low = place(shifted, some - 1);
  const up: LogitSummary["up"] = [];
  const down: LogitSummary["up"] = [];
  for (let v = 0; v < n; v++) {
    const value = row[v]! - median;
    const x = Math.fround(value);
    if (x >= high) up.push({ token: v, value });
    if (x <= low) down.push({ token: v, value });
  }
  const pick = (found: LogitSummary["up"], sign: number): LogitSummary["up"] =>
    found
      .sort((a, b) => sign * (b.value - a.value) || a.token - b.token)
      .slice(0, some)
      .map(({ token, value }) => ({ token, value: rounded(value) }));
  return {
    up: pick(up, 1),
    down: pick(down, -1),
    histogram: evenHistogram(shifted, bins),
    kurtosis: rounded(kurtosis(row)),
  };
}

/** The k-th smallest, moved to its place: the smaller ones before it, the larger after (quickselect). */
function place(x: Float32Array, k: number): number {
  let from = 0;
  let to = x.length - 1;
  while (from < to) {
    const pivot = x[(from + to) >>> 1]!;
    let i = from;
    let j = to;
    while (i <= j) {
      while (x[i]! < pivot) i++;
      while (x[j]! > pivot) j--;
      if (i > j) break;
      const swap = x[i]!;
      x[i++] = x[j]!;
      x[j--] = swap;
    }
    if (k <= j) to = j;
    else if (k >= i) from = i;
    else break;
  }
  return x[k]!;
}

/** Fourth standardised moment (3 for a normal distribution, as in the paper). */
export function kurtosis(x: ArrayLike<number>): number {
  let mean = 0;
  for (let i = 0; i < x.length; i++) mean += x[i]! / x.length;
  let second = 0;
  let fourth = 0;
  for (let i = 0; i < x.length; i++) {
    const square = (x[i]! - mean) ** 2;
    second += square;
    fourth += square * square;
  }
  return second === 0 ? 0 : (fourth * x.length) / (second * second);
}
