// A world whose features are known: sparse sums of planted directions, for tests and benches.
import type { Random } from "../base/random.ts";
import { unitRows } from "./initial.ts";

export interface PlantedWorld {
  readonly d: number;
  readonly directions: Float32Array; // [features, d], rows of length 1
  /** n fresh rows [n, d]. */
  sample(n: number): Float32Array;
}

/**
 * Each feature is on with probability `active` / `features`, independently, with strength uniform in
 * [0.5, 1.5] (Sharkey et al. 2022 and Elhage et al. 2022 use worlds of this kind).
 */
export function plantedWorld(
  rng: Random,
  { d, features, active }: { d: number; features: number; active: number },
): PlantedWorld {
  const directions = unitRows(rng.stream("directions"), features, d);
  const draws = rng.stream("draws");
  return {
    d,
    directions,
    sample(n) {
      const out = new Float32Array(n * d);
      // Gaps between firings are geometric: cost grows with what is on, not with what there is.
      const logOff = Math.log1p(-active / features);
      const next = (): number => 1 + Math.floor(Math.log1p(-draws.uniform()) / logOff);
      for (let p = next() - 1; p < n * features; p += next()) {
        const to = Math.floor(p / features) * d;
        const from = (p % features) * d;
        const strength = 0.5 + draws.uniform();
        for (let c = 0; c < d; c++) out[to + c]! += strength * directions[from + c]!;
      }
      return out;
    },
  };
}
