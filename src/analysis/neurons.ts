// Of which neurons is a feature made, and which single neuron is most like it?
import type { Random } from "../base/random.ts";
import type { SparseRows } from "../dictionaries/sparse.ts";
import { rounded } from "./histograms.ts";

export interface NeuronShares {
  top: { neuron: number; share: number }[];
  rest: { neurons: number; share: number };
  participation: number;
}

/** Signed shares of Σ|W_dec|, largest first. */
export function neuronShares(row: ArrayLike<number>, n = 10): NeuronShares {
  let total = 0;
  for (let i = 0; i < row.length; i++) total += Math.abs(row[i]!);
  const order = Array.from({ length: row.length }, (_, i) => i).sort(
    (a, b) => Math.abs(row[b]!) - Math.abs(row[a]!),
  );
  const top = order
    .slice(0, n)
    .map((neuron) => ({ neuron, share: rounded(total > 0 ? row[neuron]! / total : 0) }));
  const share = top.reduce((sum, t) => sum - Math.abs(t.share), 1);
  return {
    top,
    rest: { neurons: Math.max(0, row.length - n), share: rounded(Math.max(0, share)) },
    participation: rounded(participationRatio(row)),
  };
}

/** (Σ w²)² / Σ w⁴: how many entries share the weight; 1 for one, `length` for all alike. */
export function participationRatio(row: ArrayLike<number>): number {
  let second = 0;
  let fourth = 0;
  for (let i = 0; i < row.length; i++) {
    const square = row[i]! * row[i]!;
    second += square;
    fourth += square * square;
  }
  return fourth === 0 ? 0 : (second * second) / fourth;
}

/** Mean participation ratio of random directions of that width. */
export function randomParticipation(d: number, rng: Random, draws = 256): number {
  let sum = 0;
  for (let k = 0; k < draws; k++)
    sum += participationRatio(Float64Array.from({ length: d }, () => rng.normal()));
  return rounded(sum / draws);
}

/** Correlates every feature with every neuron over the batches that it is handed. */
export function neuronMatcher(
  d_sae: number,
  d_in: number,
): {
  /** `acts` is [n_tokens, d_in]. */
  add(rows: SparseRows, acts: Float32Array): void;
  best(): ({ neuron: number; r: number } | null)[];
  readonly n: number;
} {
  const cross = new Float32Array(d_sae * d_in);
  const f = { sum: new Float64Array(d_sae), square: new Float64Array(d_sae) };
  const a = { sum: new Float64Array(d_in), square: new Float64Array(d_in) };
  let n = 0;
  return {
    get n() {
      return n;
    },
    add(rows, acts) {
      n += rows.n_tokens;
      for (let t = 0; t < rows.n_tokens; t++) {
        const row = t * d_in;
        for (let i = 0; i < d_in; i++) {
          const x = acts[row + i]!;
          a.sum[i]! += x;
          a.square[i]! += x * x;
        }
        for (let p = t * rows.k; p < (t + 1) * rows.k; p++) {
          const value = rows.value[p]!;
          if (!(value > 0)) continue;
          const feature = rows.index[p]!;
          f.sum[feature]! += value;
          f.square[feature]! += value * value;
          const to = feature * d_in;
          for (let i = 0; i < d_in; i++) cross[to + i]! += value * acts[row + i]!;
        }
      }
    },
    best() {
      return Array.from({ length: d_sae }, (_, feature) => {
        const own = f.square[feature]! - f.sum[feature]! ** 2 / n;
        let best: { neuron: number; r: number } | null = null;
        for (let i = 0; own > 0 && i < d_in; i++) {
          const theirs = a.square[i]! - a.sum[i]! ** 2 / n;
          const r =
            (cross[feature * d_in + i]! - (f.sum[feature]! * a.sum[i]!) / n) /
            Math.sqrt(own * theirs);
          if (theirs > 0 && r > (best?.r ?? -1)) best = { neuron: i, r };
        }
        return best === null ? null : { neuron: best.neuron, r: rounded(best.r) };
      });
    },
  };
}
