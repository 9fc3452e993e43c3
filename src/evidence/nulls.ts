// What would units without any training find? Random directions, and features of equal density.
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { quantile } from "./bootstrap.ts";

/** Directions of length 1, uniform on the sphere. [units, d] */
export function randomDirections(units: number, d: number, rng: Random): Float32Array {
  const out = new Float32Array(units * d);
  for (let u = 0; u < units; u++) {
    let square = 0;
    for (let i = 0; i < d; i++) {
      const x = rng.normal();
      out[u * d + i] = x;
      square += x * x;
    }
    const length = Math.sqrt(square);
    for (let i = 0; i < d; i++) out[u * d + i]! /= length;
  }
  return out;
}

/**
 * Units that fire on a share `density[u]` of tokens: projections on the directions minus the threshold that
 * gives this share on `sample`, negative parts cut. `centre` [d] is taken off first.
 */
export function randomUnits(
  directions: Float32Array,
  sample: Float32Array,
  centre: ArrayLike<number>,
  density: ArrayLike<number>,
): { threshold: Float64Array; apply(acts: Float32Array): Float32Array } {
  const d = centre.length;
  const units = directions.length / d;
  check(density.length === units, "shape/size", "one density a direction is needed", {
    got: density.length,
    wanted: units,
  });
  const project = (acts: Float32Array): Float32Array => {
    const n = acts.length / d;
    const out = new Float32Array(n * units);
    for (let t = 0; t < n; t++)
      for (let u = 0; u < units; u++) {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += (acts[t * d + i]! - centre[i]!) * directions[u * d + i]!;
        out[t * units + u] = sum;
      }
    return out;
  };
  const projected = project(sample);
  const n = sample.length / d;
  const column = new Float32Array(n);
  const threshold = Float64Array.from({ length: units }, (_, u) => {
    for (let t = 0; t < n; t++) column[t] = projected[t * units + u]!;
    return quantile(column.sort(), Math.min(1, Math.max(0, 1 - density[u]!)));
  });
  return {
    threshold,
    apply(acts) {
      const out = project(acts);
      for (let i = 0; i < out.length; i++) out[i] = Math.max(0, out[i]! - threshold[i % units]!);
      return out;
    },
  };
}

/**
 * For each wanted density, another feature of nearly the same one (log scale), at random among the `among`
 * nearest that are not itself.
 */
export function densityMatched(
  features: readonly number[],
  columns: FeatureColumns,
  rng: Random,
  { among = 8 }: { among?: number } = {},
): number[] {
  const n = (f: number): number => columns.offsets[f + 1]! - columns.offsets[f]!;
  const alive = Array.from({ length: columns.d_sae }, (_, f) => f).filter((f) => n(f) > 0);
  return features.map((feature) => {
    const wanted = Math.log(Math.max(1, n(feature)));
    const near = alive
      .filter((f) => f !== feature)
      .sort((a, b) => Math.abs(Math.log(n(a)) - wanted) - Math.abs(Math.log(n(b)) - wanted))
      .slice(0, among);
    check(near.length > 0, "evidence/density", "no other feature ever fires");
    return rng.pick(near);
  });
}
