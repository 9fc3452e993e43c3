// What recorded activations are like on the whole: mean, norms and spread, summed in float64.

export interface Moments {
  readonly count: number;
  readonly mean: Float64Array; // [d]
  /** Mean of the vectors' lengths. */
  readonly meanNorm: number;
  /** Mean of the squared lengths. */
  readonly meanSquare: number;
  /** Mean squared distance from the mean: what FVU divides by. */
  readonly variance: number;
}

/** Sums so far; plain numbers, so that JSON keeps them to the last bit. */
export interface MomentsState {
  count: number;
  sum: number[];
  norms: number;
  squares: number;
}

export interface MomentsSum {
  /** `acts` [n, d]. */
  add(acts: Float32Array): void;
  moments(): Moments;
  state(): MomentsState;
}

export function sumMoments(d: number, from?: MomentsState): MomentsSum {
  const sum = from === undefined ? new Float64Array(d) : Float64Array.from(from.sum);
  let { count, norms, squares } = from ?? { count: 0, norms: 0, squares: 0 };
  return {
    add(acts) {
      for (let at = 0; at < acts.length; at += d) {
        let square = 0;
        for (let i = 0; i < d; i++) {
          const x = acts[at + i]!;
          sum[i]! += x;
          square += x * x;
        }
        squares += square;
        norms += Math.sqrt(square);
        count += 1;
      }
    },
    moments() {
      const mean = sum.map((x) => x / count);
      const ofMean = mean.reduce((total, x) => total + x * x, 0);
      const meanSquare = squares / count;
      return {
        count,
        mean,
        meanNorm: norms / count,
        meanSquare,
        variance: Math.max(0, meanSquare - ofMean),
      };
    },
    state: () => ({ count, sum: [...sum], norms, squares }),
  };
}
