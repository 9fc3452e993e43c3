// How well could a context be read off the activations with labels at hand? A ridge probe: the ceiling.
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";

/** Linear scores for every context. */
export interface Probe {
  readonly d: number;
  readonly n_contexts: number;
  readonly weights: Float64Array; // [d, n_contexts]
  readonly bias: Float64Array; // [n_contexts]
}

/** Which tokens to fit on when there are more than `limit`: a random sample, ascending. */
export function probeRows(n: number, limit: number, rng: Random): Uint32Array {
  if (n <= limit) return Uint32Array.from({ length: n }, (_, t) => t);
  const picked = new Set<number>();
  // Floyd's sampling without replacement.
  for (let j = n - limit; j < n; j++) {
    const t = rng.int(j + 1);
    picked.add(picked.has(t) ? j : t);
  }
  return Uint32Array.from(picked).sort();
}

/**
 * Ridge regression of [context] on activations, one solve for all contexts: (XᵀX / n + λ s I) w = Xᵀy / n with
 * X and y centred and s the mean variance of an activation. `acts` is [n, d], `context` [n].
 */
export function fitProbe(
  acts: Float32Array,
  context: ArrayLike<number>,
  { d, n_contexts, ridge = 1e-3 }: { d: number; n_contexts: number; ridge?: number },
): Probe {
  const n = acts.length / d;
  check(n === context.length, "shape/size", "activations and labels differ in number", {
    got: [n, context.length],
  });
  const mean = new Float64Array(d);
  const share = new Float64Array(n_contexts);
  for (let t = 0; t < n; t++) {
    share[context[t]!]! += 1 / n;
    for (let i = 0; i < d; i++) mean[i]! += acts[t * d + i]! / n;
  }
  const A = new Float64Array(d * d);
  const B = new Float64Array(d * n_contexts);
  const x = new Float64Array(d);
  for (let t = 0; t < n; t++) {
    const c = context[t]!;
    for (let i = 0; i < d; i++) x[i] = acts[t * d + i]! - mean[i]!;
    for (let i = 0; i < d; i++) {
      const xi = x[i]!;
      if (xi === 0) continue;
      const row = i * d;
      for (let j = 0; j <= i; j++) A[row + j]! += xi * x[j]!;
      B[i * n_contexts + c]! += xi;
    }
  }
  let variance = 0;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) A[i * d + j]! /= n;
    variance += A[i * d + i]! / d;
    for (let c = 0; c < n_contexts; c++) B[i * n_contexts + c]! /= n;
  }
  for (let i = 0; i < d; i++) A[i * d + i]! += ridge * (variance || 1);
  solveCholesky(A, B, d, n_contexts);
  const bias = share.slice();
  for (let i = 0; i < d; i++)
    for (let c = 0; c < n_contexts; c++) bias[c]! -= mean[i]! * B[i * n_contexts + c]!;
  return { d, n_contexts, weights: B, bias };
}

/** A (lower triangle, positive definite) is overwritten by its factor, B [d, m] by the solution. */
function solveCholesky(A: Float64Array, B: Float64Array, d: number, m: number): void {
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) {
      let sum = A[i * d + j]!;
      for (let k = 0; k < j; k++) sum -= A[i * d + k]! * A[j * d + k]!;
      if (i === j) check(sum > 0, "evidence/probe", "the activations' covariance is not positive");
      A[i * d + j] = i === j ? Math.sqrt(sum) : sum / A[j * d + j]!;
    }
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < i; k++)
      for (let c = 0; c < m; c++) B[i * m + c]! -= A[i * d + k]! * B[k * m + c]!;
    for (let c = 0; c < m; c++) B[i * m + c]! /= A[i * d + i]!;
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++)
      for (let c = 0; c < m; c++) B[i * m + c]! -= A[k * d + i]! * B[k * m + c]!;
    for (let c = 0; c < m; c++) B[i * m + c]! /= A[i * d + i]!;
  }
}

/** Scores [n, n_contexts]: feed them to `denseMoments` to judge them as any other unit. */
export function probeScores(probe: Probe, acts: Float32Array): Float32Array {
  const { d, n_contexts, weights, bias } = probe;
  const n = acts.length / d;
  const out = new Float32Array(n * n_contexts);
  const row = new Float64Array(n_contexts);
  for (let t = 0; t < n; t++) {
    row.set(bias);
    for (let i = 0; i < d; i++) {
      const x = acts[t * d + i]!;
      if (x === 0) continue;
      for (let c = 0; c < n_contexts; c++) row[c]! += x * weights[i * n_contexts + c]!;
    }
    out.set(row, t * n_contexts);
  }
  return out;
}
