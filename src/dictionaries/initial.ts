// Where does training start? Scale and centre from a first sample of inputs, weights from a seed.
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";

export interface SampleFacts {
  /** Multiplies the inputs so that their mean norm is √d. */
  scale: number;
  /** Of the scaled inputs: minimises Σ ‖x − median‖; the first b_dec. */
  median: Float32Array;
  /** Of the scaled inputs: mean ‖x − mean‖²; the loss is measured in it. */
  variance: number;
}

/** Facts of rows [n, d]; refuses rows that are all zero, or all equal, with `train/no-variance`. */
export function sampleFacts(rows: Float32Array, d: number): SampleFacts {
  const n = rows.length / d;
  let norms = 0;
  for (let t = 0; t < n; t++) {
    let square = 0;
    for (let c = t * d; c < (t + 1) * d; c++) square += rows[c]! * rows[c]!;
    norms += Math.sqrt(square);
  }
  const mean = columnMeans(rows, d);
  let spread = 0;
  for (let at = 0; at < rows.length; at += d)
    for (let c = 0; c < d; c++) spread += (rows[at + c]! - mean[c]!) ** 2;
  check(
    norms > 0 && spread / n > 1e-12 * (norms / n) ** 2,
    "train/no-variance",
    "the inputs do not vary: there is nothing to learn",
    { got: `${n} equal rows`, wanted: "activations of a live site" },
  );
  const scale = Math.sqrt(d) / (norms / n);
  const median = geometricMedian(rows, d).map((v) => v * scale);
  return { scale, median: Float32Array.from(median), variance: (spread / n) * scale * scale };
}

export function columnMeans(rows: Float32Array, d: number): Float64Array {
  const n = rows.length / d;
  const mean = new Float64Array(d);
  for (let at = 0; at < rows.length; at += d) for (let c = 0; c < d; c++) mean[c]! += rows[at + c]!;
  return mean.map((sum) => sum / n);
}

/** Weiszfeld's iteration, from the mean; stops when a step is 1e-6 of the spread. */
export function geometricMedian(rows: Float32Array, d: number, steps = 50): Float64Array {
  const n = rows.length / d;
  let centre = columnMeans(rows, d);
  for (let step = 0; step < steps; step++) {
    const next = new Float64Array(d);
    let weights = 0;
    let distances = 0;
    for (let at = 0; at < rows.length; at += d) {
      let square = 0;
      for (let c = 0; c < d; c++) square += (rows[at + c]! - centre[c]!) ** 2;
      // A row that is the centre itself would weigh without bound.
      const weight = 1 / Math.max(Math.sqrt(square), 1e-12);
      weights += weight;
      distances += Math.sqrt(square);
      for (let c = 0; c < d; c++) next[c]! += weight * rows[at + c]!;
    }
    let moved = 0;
    for (let c = 0; c < d; c++) {
      next[c]! /= weights;
      moved += (next[c]! - centre[c]!) ** 2;
    }
    centre = next;
    if (Math.sqrt(moved) <= 1e-6 * (distances / n)) break;
  }
  return centre;
}

/** Random directions of length 1, [n, d] with rows `stride` apart. */
export function unitRows(rng: Random, n: number, d: number, stride = d): Float32Array {
  const out = new Float32Array(n * stride);
  for (let at = 0; at < out.length; at += stride) {
    let square = 0;
    for (let c = at; c < at + d; c++) {
      out[c] = rng.normal();
      square += out[c]! * out[c]!;
    }
    const norm = Math.sqrt(square);
    for (let c = at; c < at + d; c++) out[c]! /= norm;
  }
  return out;
}
