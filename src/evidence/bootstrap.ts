// How far would a figure move with other documents? Percentile intervals over resampled documents.
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { Estimate } from "./claim.ts";

/** Draws of documents with replacement: how often each document is in each draw. */
export interface Resamples {
  readonly draws: number;
  readonly documents: number;
  /** [documents, draws] */
  readonly times: Float32Array;
}

/** A product [m, k] × [k, n] → [m, n], row-major: ONNX Runtime's, or the plain loop. */
export type Product = (
  a: Float32Array,
  b: Float32Array,
  size: { m: number; k: number; n: number },
) => Promise<Float32Array>;

/**
 * Each draw takes as many documents as `present` has, at random with replacement. Tokens of a document
 * stay together: they are not independent.
 */
export function resampleDocuments(
  present: ArrayLike<number>,
  rng: Random,
  { draws = 512 }: { draws?: number } = {},
): Resamples {
  check(draws >= 500, "evidence/draws", "too few draws for a 95 % interval", {
    got: draws,
    wanted: "500 or more",
  });
  const documents = present.length;
  const some: number[] = [];
  for (let d = 0; d < documents; d++) if (present[d]! > 0) some.push(d);
  const times = new Float32Array(documents * draws);
  for (let b = 0; b < draws; b++)
    for (let i = 0; i < some.length; i++) times[some[rng.int(some.length)]! * draws + b]!++;
  return { draws, documents, times };
}

/** Sums of per-document figures in every draw: [rows, documents] → [rows, draws]. */
export function resampledSums(
  sums: Float32Array,
  rows: number,
  { documents, draws, times }: Resamples,
  product: Product = plainProduct,
): Promise<Float32Array> {
  return product(sums, times, { m: rows, k: documents, n: draws });
}

/** Skips zeros of `a`, which per-document sums are full of. */
export const plainProduct: Product = async (a, b, { m, k, n }) => {
  const out = new Float32Array(m * n);
  const row = new Float64Array(n);
  for (let i = 0; i < m; i++) {
    row.fill(0);
    for (let j = 0; j < k; j++) {
      const x = a[i * k + j]!;
      if (x === 0) continue;
      const from = j * n;
      for (let c = 0; c < n; c++) row[c]! += x * b[from + c]!;
    }
    out.set(row, i * n);
  }
  return out;
};

/** 95 % percentile interval (linear between order statistics); draws that are NaN say nothing. */
export function percentileInterval(
  value: number,
  draws: number,
  statistic: (draw: number) => number,
): Estimate {
  const all = new Float64Array(draws);
  let n = 0;
  for (let b = 0; b < draws; b++) {
    const x = statistic(b);
    if (!Number.isNaN(x)) all[n++] = x;
  }
  if (!Number.isFinite(value) || n < draws / 2)
    return { value: finite(value), low: null, high: null };
  const sorted = all.subarray(0, n).sort();
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Of ascending numbers, linear between neighbours. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (at - below);
}

/** Interval of any statistic of per-document sums. `sums[k][document]`. */
export function bootstrapInterval(
  sums: readonly ArrayLike<number>[],
  statistic: (totals: Float64Array) => number,
  { draws, documents, times }: Resamples,
): Estimate {
  const totals = new Float64Array(sums.length);
  sums.forEach((of, k) => {
    for (let d = 0; d < documents; d++) totals[k]! += of[d]!;
  });
  const value = statistic(totals);
  const drawn = sums.map((of) => {
    const out = new Float64Array(draws);
    for (let d = 0; d < documents; d++) {
      const x = of[d]!;
      if (x === 0) continue;
      const from = d * draws;
      for (let b = 0; b < draws; b++) out[b]! += x * times[from + b]!;
    }
    return out;
  });
  return percentileInterval(value, draws, (b) => {
    for (let k = 0; k < sums.length; k++) totals[k] = drawn[k]![b]!;
    return statistic(totals);
  });
}
