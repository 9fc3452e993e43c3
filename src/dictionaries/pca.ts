// How far do the k directions of largest variance get?
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { add, constant, input, matmul, program, sub } from "../graph/index.ts";
import type { Backend } from "../runtime/backend.ts";
import { f32 } from "../tensor/tensor.ts";
import { columnMeans } from "./initial.ts";
import { inChunks, type Reconstructor } from "./reconstruct.ts";

export interface Pca {
  readonly mean: Float32Array; // [d]
  readonly directions: Float32Array; // [k, d], orthonormal, largest variance first
  readonly variances: Float64Array; // [k]
}

const rows = 1024;

/** Principal directions of rows [n, d]: the covariance on the backend, subspace iteration in float64. */
export async function fitPca(
  sample: Float32Array,
  { d, k }: { d: number; k: number },
  backend: Backend,
): Promise<Pca> {
  check(k >= 1 && k <= d, "baseline/k", "PCA has as many components as the site is wide", {
    got: k,
    wanted: `1 to ${d}`,
  });
  const n = sample.length / d;
  const mean = columnMeans(sample, d);
  const centred = new Float32Array(sample.length);
  for (let at = 0; at < sample.length; at += d)
    for (let c = 0; c < d; c++) centred[at + c] = sample[at + c]! - mean[c]!;
  const x = input("x", "float32", [rows, d]);
  const run = await backend.compile(
    program({ inputs: [x], outputs: { square: matmul(x, x, { transA: true }) } }),
  );
  const covariance = new Float64Array(d * d);
  await inChunks(centred, { rows, d }, async (chunk) => {
    const { square } = await run.run({ x: chunk });
    for (let i = 0; i < d * d; i++) covariance[i]! += (square!.data[i] as number) / n;
  });
  await run.release();
  const { vectors, values } = topEigenvectors(covariance, d, k);
  return {
    mean: Float32Array.from(mean),
    directions: Float32Array.from(vectors),
    variances: values,
  };
}

/** x̂ = mean + (x − mean) · Vᵀ · V */
export async function pcaReconstructor(
  { mean, directions }: Pca,
  backend: Backend,
): Promise<{ reconstruct: Reconstructor; release(): Promise<void> }> {
  const d = mean.length;
  const x = input("x", "float32", [rows, d]);
  const V = constant(f32([directions.length / d, d], directions));
  const centre = constant(f32([d], mean));
  const out = add(matmul(matmul(sub(x, centre), V, { transB: true }), V), centre);
  const run = await backend.compile(program({ inputs: [x], outputs: { out } }));
  return {
    async reconstruct(acts, n) {
      const result = new Float32Array(n * d);
      await inChunks(acts, { rows, d }, async (chunk, from, size) => {
        const { out: found } = await run.run({ x: chunk });
        result.set((found!.data as Float32Array).subarray(0, size * d), from * d);
      });
      return result;
    },
    release: () => run.release(),
  };
}

/**
 * The k largest eigenvalues of a symmetric positive matrix [d, d] and their vectors [k, d]: subspace iteration
 * with twice as many vectors as asked for, so that convergence does not hang on the gap after the k-th
 * (Halko, Martinsson and Tropp 2011), then Jacobi in that subspace.
 */
export function topEigenvectors(
  matrix: Float64Array,
  d: number,
  k: number,
  { iterations = 40 }: { iterations?: number } = {},
): { vectors: Float64Array; values: Float64Array } {
  const width = Math.min(d, 2 * k + 8);
  const rng = random(1).stream("pca");
  let basis = orthonormal(
    Float64Array.from({ length: width * d }, () => rng.normal()),
    d,
  );
  for (let i = 0; i < iterations; i++) basis = orthonormal(applied(matrix, basis, d), d);
  const image = applied(matrix, basis, d);
  const small = Float64Array.from({ length: width * width }, (_, at) =>
    dot(basis, Math.floor(at / width) * d, image, (at % width) * d, d),
  );
  const { vectors, values } = jacobi(small, width);
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!);
  const out = new Float64Array(k * d);
  order.slice(0, k).forEach((from, to) => {
    for (let i = 0; i < width; i++)
      for (let c = 0; c < d; c++)
        out[to * d + c]! += vectors[from * width + i]! * basis[i * d + c]!;
  });
  return { vectors: out, values: Float64Array.from(order.slice(0, k), (from) => values[from]!) };
}

function dot(a: Float64Array, i: number, b: Float64Array, j: number, d: number): number {
  let sum = 0;
  for (let c = 0; c < d; c++) sum += a[i + c]! * b[j + c]!;
  return sum;
}

/** Each row of `rows` times the symmetric matrix. */
function applied(matrix: Float64Array, rows: Float64Array, d: number): Float64Array {
  const out = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at += d)
    for (let c = 0; c < d; c++) out[at + c] = dot(rows, at, matrix, c * d, d);
  return out;
}

/** Gram–Schmidt, twice over for accuracy; a row without a direction of its own becomes 0. */
function orthonormal(rows: Float64Array, d: number): Float64Array {
  for (let at = 0; at < rows.length; at += d) {
    for (let pass = 0; pass < 2; pass++)
      for (let other = 0; other < at; other += d) {
        const along = dot(rows, at, rows, other, d);
        for (let c = 0; c < d; c++) rows[at + c]! -= along * rows[other + c]!;
      }
    const norm = Math.sqrt(dot(rows, at, rows, at, d));
    for (let c = 0; c < d; c++) rows[at + c]! = norm > 1e-12 ? rows[at + c]! / norm : 0;
  }
  return rows;
}

/** All eigenvalues of a symmetric matrix [n, n], eigenvectors as rows; cyclic Jacobi rotations. */
export function jacobi(
  matrix: Float64Array,
  n: number,
): { vectors: Float64Array; values: Float64Array } {
  const A = matrix.slice();
  const V = new Float64Array(n * n);
  for (let i = 0; i < n; i++) V[i * n + i] = 1;
  const rotate = (
    data: Float64Array,
    p: number,
    q: number,
    cos: number,
    sin: number,
    by: 1 | 0,
  ) => {
    for (let i = 0; i < n; i++) {
      const at = by === 1 ? p * n + i : i * n + p;
      const to = by === 1 ? q * n + i : i * n + q;
      const [a, b] = [data[at]!, data[to]!];
      data[at] = cos * a - sin * b;
      data[to] = sin * a + cos * b;
    }
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        all += A[i * n + j]! ** 2;
        if (i !== j) off += A[i * n + j]! ** 2;
      }
    if (off <= 1e-24 * all) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const between = A[p * n + q]!;
        if (between === 0) continue;
        const theta = (A[q * n + q]! - A[p * n + p]!) / (2 * between);
        const tan = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cos = 1 / Math.sqrt(tan * tan + 1);
        rotate(A, p, q, cos, tan * cos, 0);
        rotate(A, p, q, cos, tan * cos, 1);
        rotate(V, p, q, cos, tan * cos, 1);
      }
  }
  return { vectors: V, values: Float64Array.from({ length: n }, (_, i) => A[i * n + i]!) };
}
