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
  /** Documents that are drawn together, as one. With 1,024 documents or fewer each is its own group. */
  readonly groups: {
    readonly n: number;
    readonly of: Int32Array; // [documents]
    readonly times: Float32Array; // [n, draws]
  };
}

/** A product [m, k] × [k, n] → [m, n], row-major: ONNX Runtime's, or the plain loop. */
export type Product = (
  a: Float32Array,
  b: Float32Array,
  size: { m: number; k: number; n: number },
) => Promise<Float32Array>;

/**
 * Each draw takes as many documents as `present` has, at random with replacement. Tokens of a document
 * stay together: they are not independent. Beyond `most` documents they are dealt at random into `most` groups
 * that are drawn whole: groups are independent too, so the interval means the same, at a fixed cost.
 */
export function resampleDocuments(
  present: ArrayLike<number>,
  rng: Random,
  { draws = 512, most = 1024 }: { draws?: number; most?: number } = {},
): Resamples {
  check(draws >= 500, "evidence/draws", "too few draws for a 95 % interval", {
    got: draws,
    wanted: "500 or more",
  });
  const documents = present.length;
  const some: number[] = [];
  for (let d = 0; d < documents; d++) if (present[d]! > 0) some.push(d);
  const n = Math.min(most, some.length);
  if (some.length > most) rng.shuffle(some);
  // Documents that are not there belong to group 0 and add nothing.
  const of = new Int32Array(documents);
  for (let i = 0; i < some.length; i++) of[some[i]!] = i % n;
  const drawn = new Float32Array(n * draws);
  for (let b = 0; b < draws; b++) for (let i = 0; i < n; i++) drawn[rng.int(n) * draws + b]!++;
  const times = new Float32Array(documents * draws);
  for (const d of some) times.set(drawn.subarray(of[d]! * draws, (of[d]! + 1) * draws), d * draws);
  return { draws, documents, times, groups: { n, of, times: drawn } };
}

/** Sums of figures per group of documents in every draw: [rows, groups] → [rows, draws]. */
export function resampledSums(
  sums: Float32Array,
  rows: number,
  { groups, draws }: Resamples,
  product: Product = plainProduct,
): Promise<Float32Array> {
  return product(sums, groups.times, { m: rows, k: groups.n, n: draws });
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
  // Only the ends are needed: the `tail` smallest and the `tail` largest, each in order.
  const at = tail * (n - 1);
  const below = Math.floor(at);
  const size = below + 2;
  const low = new Float64Array(size).fill(Infinity);
  const high = new Float64Array(size).fill(Infinity);
  for (let i = 0; i < n; i++) {
    insert(low, all[i]!);
    insert(high, -all[i]!);
  }
  const between = (end: Float64Array): number =>
    end[below]! + (end[below + 1]! - end[below]!) * (at - below);
  return { value, low: between(low), high: -between(high) };
}

/** Half of what lies outside a 95 % interval. */
const tail = 0.025;

/** Into ascending numbers, dropping the largest. */
function insert(sorted: Float64Array, x: number): void {
  let i = sorted.length - 1;
  if (x >= sorted[i]!) return;
  for (; i > 0 && sorted[i - 1]! > x; i--) sorted[i] = sorted[i - 1]!;
  sorted[i] = x;
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
