// How good is a dictionary? Each figure with the one definition that we use.
import { check } from "../base/errors.ts";
import type { SparseRows } from "./sparse.ts";

export interface FvuMeter {
  /** n rows of inputs and of their reconstructions, both [n, d]. */
  add(x: Float32Array, reconstruction: Float32Array): void;
  /** Σ ‖x − x̂‖² / Σ ‖x − mean‖², one mean over all that was added. NaN when nothing varied. */
  value(): number;
}

/** Sums in float64; the variance by chunks (Chan, Golub and LeVeque 1983), since Σ x² − n mean² cancels. */
export function fvuMeter(d: number): FvuMeter {
  let n = 0;
  let residual = 0;
  let spread = 0;
  const mean = new Float64Array(d);
  return {
    add(x, reconstruction) {
      check(
        x.length === reconstruction.length && x.length % d === 0,
        "shape/size",
        "inputs and reconstructions differ in size",
        { got: [x.length, reconstruction.length], wanted: `[n, ${d}] both` },
      );
      const rows = x.length / d;
      if (rows === 0) return;
      const chunk = new Float64Array(d);
      for (let at = 0; at < x.length; at += d)
        for (let c = 0; c < d; c++) {
          chunk[c]! += x[at + c]! / rows;
          residual += (x[at + c]! - reconstruction[at + c]!) ** 2;
        }
      for (let at = 0; at < x.length; at += d)
        for (let c = 0; c < d; c++) spread += (x[at + c]! - chunk[c]!) ** 2;
      for (let c = 0; c < d; c++) {
        const delta = chunk[c]! - mean[c]!;
        spread += (delta * delta * n * rows) / (n + rows);
        mean[c]! += (delta * rows) / (n + rows);
      }
      n += rows;
    },
    value: () => (spread > 0 ? residual / spread : Number.NaN),
  };
}

/** Mean number of active features a token. */
export function L0(rows: SparseRows): number {
  let active = 0;
  for (const v of rows.value) if (v > 0) active++;
  return active / rows.n_tokens;
}

/** How many tokens each feature fires on, added to `counts`. */
export function countFirings(
  rows: SparseRows,
  d_sae: number,
  counts = new Float64Array(d_sae),
): Float64Array {
  for (let p = 0; p < rows.index.length; p++) if (rows.value[p]! > 0) counts[rows.index[p]!]! += 1;
  return counts;
}

export interface DensityFacts {
  /** Share of features that never fired. */
  dead: number;
  below_1e5: number;
  above_10_percent: number;
  /** log10 density in bins of a quarter decade, `from` upwards; features that never fired are not in it. */
  histogram: { from: number; width: number; counts: number[] };
}

/** From how often each feature fired in n tokens. */
export function densityFacts(counts: ArrayLike<number>, n_tokens: number): DensityFacts {
  const share = (test: (density: number) => boolean): number => {
    let hits = 0;
    for (let f = 0; f < counts.length; f++) if (test(counts[f]! / n_tokens)) hits++;
    return hits / counts.length;
  };
  const from = -7;
  const width = 0.25;
  const bins = new Array<number>(-from / width).fill(0);
  for (let f = 0; f < counts.length; f++) {
    if (counts[f] === 0) continue;
    const bin = Math.floor((Math.log10(counts[f]! / n_tokens) - from) / width);
    bins[Math.min(Math.max(bin, 0), bins.length - 1)]!++;
  }
  return {
    dead: share((density) => density === 0),
    below_1e5: share((density) => density < 1e-5),
    above_10_percent: share((density) => density > 0.1),
    histogram: { from, width, counts: bins },
  };
}

/** Cross entropies per token in nats, the same tokens in each; NaN where a token has no target. */
export interface SpliceLosses {
  clean: Float32Array;
  /** The reconstruction in place of the activations. */
  spliced: Float32Array;
  zero: Float32Array;
  mean: Float32Array;
}

export interface SpliceFacts {
  CE_clean: number;
  /** Nats that the splice costs. */
  dCE: number;
  /** (CE_zero − CE_spliced) / (CE_zero − CE_clean) */
  CE_recovered: number;
  /** The same with the site's mean in place of zero: the stricter figure. */
  CE_recovered_mean: number;
}

export function spliceFacts({ clean, spliced, zero, mean }: SpliceLosses): SpliceFacts {
  const [CE_clean, CE_spliced, CE_zero, CE_mean] = [clean, spliced, zero, mean].map((losses) => {
    check(losses.length === clean.length, "shape/size", "losses of different tokens", {
      got: losses.length,
      wanted: clean.length,
    });
    return meanLoss(losses);
  }) as [number, number, number, number];
  return {
    CE_clean,
    dCE: CE_spliced - CE_clean,
    CE_recovered: (CE_zero - CE_spliced) / (CE_zero - CE_clean),
    CE_recovered_mean: (CE_mean - CE_spliced) / (CE_mean - CE_clean),
  };
}

/** Mean over tokens that have a target. */
export function meanLoss(losses: Float32Array): number {
  let sum = 0;
  let n = 0;
  for (const loss of losses) {
    if (Number.isNaN(loss)) continue;
    sum += loss;
    n += 1;
  }
  return sum / n;
}

/** For each row of `truth` [n, d], the best cosine with a row of `rows` [m, d]. */
export function bestCosines(truth: Float32Array, rows: Float32Array, d: number): Float64Array {
  const norm = (data: Float32Array, at: number): number =>
    Math.hypot(...data.subarray(at, at + d)) || 1;
  const norms = Float64Array.from({ length: rows.length / d }, (_, m) => norm(rows, m * d));
  return Float64Array.from({ length: truth.length / d }, (_, i) => {
    let best = -1;
    for (let m = 0; m < norms.length; m++) {
      let dot = 0;
      for (let c = 0; c < d; c++) dot += truth[i * d + c]! * rows[m * d + c]!;
      best = Math.max(best, dot / norms[m]!);
    }
    return best / norm(truth, i * d);
  });
}
