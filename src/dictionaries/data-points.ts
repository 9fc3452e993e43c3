// How far does a dictionary get that was never trained? Data points as atoms, matching pursuit as encoder.
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { constant, input, matmul, program, sub } from "../graph/index.ts";
import type { Backend } from "../runtime/backend.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import { columnMeans } from "./initial.ts";
import { kernels, restride, strideOf } from "./kernels.ts";
import { inChunks, type Reconstructor } from "./reconstruct.ts";

export interface DataPoints {
  readonly d_in: number;
  readonly mean: Float32Array; // [d_in]
  readonly atoms: Float32Array; // [atoms, d_in], rows of length 1
}

/** Random rows of the sample [n, d_in], minus the sample's mean, each divided by its length. */
export function dataPoints(
  sample: Float32Array,
  { d_in, atoms, seed }: { d_in: number; atoms: number; seed: number },
): DataPoints {
  const n = sample.length / d_in;
  const mean = Float32Array.from(columnMeans(sample, d_in));
  const order = random(seed)
    .stream("data points")
    .shuffle(Int32Array.from({ length: n }, (_, t) => t));
  const out = new Float32Array(atoms * d_in);
  let found = 0;
  for (const t of order) {
    if (found === atoms) break;
    const row = out.subarray(found * d_in, (found + 1) * d_in);
    let square = 0;
    for (let c = 0; c < d_in; c++) {
      row[c] = sample[t * d_in + c]! - mean[c]!;
      square += row[c]! * row[c]!;
    }
    // A row at the mean has no direction.
    if (square < 1e-20) continue;
    const norm = Math.sqrt(square);
    for (let c = 0; c < d_in; c++) row[c]! /= norm;
    found += 1;
  }
  check(found === atoms, "baseline/rows", "too few rows for this many atoms", {
    got: `${found} rows that differ from the mean`,
    wanted: `${atoms}`,
  });
  return { d_in, mean, atoms: out };
}

const rows = 1024;

/** Matching pursuit with k picks a token and coefficients of either sign: at most k atoms are active. */
export async function matchingPursuit(
  { d_in, mean, atoms }: DataPoints,
  k: number,
  backend: Backend,
): Promise<{ reconstruct: Reconstructor; release(): Promise<void> }> {
  const stride = strideOf(d_in);
  // Atoms of zeros fill up to a multiple of 16: no product ever picks them.
  const m = strideOf(atoms.length / d_in);
  const K = kernels(4 * (m * m + m * stride + rows * (m + stride)) + 1024);
  const D = K.floats(m * stride);
  restride(atoms, d_in, stride, D.data.subarray(0, (atoms.length / d_in) * stride));
  const gram = K.floats(m * m);
  const c = K.floats(rows * m);
  const out = K.floats(rows * stride);

  const wide = f32([m, d_in], restride(D.data, stride, d_in));
  const A = input("atoms", "float32", [m, d_in]);
  const square = program({ inputs: [A], outputs: { gram: matmul(A, A, { transB: true }) } });
  const gramRun = await backend.compile(square);
  gram.data.set((await gramRun.run({ atoms: wide })).gram!.data as Float32Array);
  await gramRun.release();

  const x = input("x", "float32", [rows, d_in]);
  const centred = sub(x, constant(f32([d_in], mean)));
  const products = program({
    inputs: [x, A],
    outputs: { c: matmul(centred, A, { transB: true }) },
  });
  const run = await backend.compile(products);
  const into = tensor("float32", [rows, m], new Float32Array(rows * m));

  return {
    async reconstruct(acts, n) {
      const result = new Float32Array(n * d_in);
      await inChunks(acts, { rows, d: d_in }, async (chunk, from, size) => {
        await run.run({ x: chunk, atoms: wide }, { c: into });
        c.data.set(into.data);
        for (let t = 0; t < size; t++) out.data.set(mean, t * stride);
        out.data.fill(0, size * stride);
        K.pursue(c.at, gram.at, D.at, out.at, size, m, k, stride);
        const part = result.subarray(from * d_in, (from + size) * d_in);
        restride(out.data.subarray(0, size * stride), stride, d_in, part);
      });
      return result;
    },
    release: () => run.release(),
  };
}
