// How do activations become features, and back?
import { check } from "../base/errors.ts";
import type { Backend, Executable } from "../runtime/backend.ts";
import { f32, type Tensor, tensor } from "../tensor/tensor.ts";
import type { Dictionary } from "./dictionary.ts";
import { encoderProgram } from "./encoder.ts";
import { kernels, restride, strideOf } from "./kernels.ts";
import type { SparseRows } from "./sparse.ts";

export interface Coder {
  readonly dictionary: Dictionary;
  /** acts [n, d_in] → the k strongest features of each row; values ≤ 0 come as 0. */
  encode(acts: Float32Array): Promise<SparseRows>;
  /** → [n, d_in] */
  decode(rows: SparseRows): Float32Array;
  release(): Promise<void>;
}

/** Rows of a run: a prompt takes the small one, a corpus the large one. */
const chunkSizes = [64, 2048] as const;
/** Rows decoded at a time, so that the kernels' memory stays small. */
const decodeRows = 1024;

export async function openCoder(dictionary: Dictionary, backend: Backend): Promise<Coder> {
  const { d_in, d_sae, k, scale } = dictionary;
  const stride = strideOf(d_in);
  const weights = {
    W_enc: tensor("float32", [d_in, d_sae], dictionary.W_enc),
    b_enc: f32([d_sae], dictionary.b_enc),
    b_dec: f32([d_in], dictionary.b_dec),
  };
  const compiled = new Map<number, Promise<Executable>>();
  const encoder = (rows: number): Promise<Executable> => {
    const found =
      compiled.get(rows) ??
      backend.compile(encoderProgram({ rows, d: d_in, d_sae, k, byFeature: false }));
    compiled.set(rows, found);
    return found;
  };
  const decoder = decodeKernel(dictionary, stride);

  return {
    dictionary,
    async encode(acts) {
      check(acts.length % d_in === 0, "shape/size", "these are not rows of this dictionary", {
        got: `${acts.length} numbers`,
        wanted: `rows of d_in = ${d_in}`,
      });
      const n = acts.length / d_in;
      const index = new Int32Array(n * k);
      const value = new Float32Array(n * k);
      const rows = n <= chunkSizes[0] ? chunkSizes[0] : chunkSizes[1];
      const run = await encoder(rows);
      // A buffer of this call's own: calls may overlap.
      const x = tensor("float32", [rows, d_in], new Float32Array(rows * d_in));
      for (let from = 0; from < n; from += rows) {
        const size = Math.min(rows, n - from);
        const part = acts.subarray(from * d_in, (from + size) * d_in);
        if (scale === 1) x.data.set(part);
        else for (let i = 0; i < part.length; i++) x.data[i] = part[i]! * scale;
        const found: Record<string, Tensor> = await run.run({ x, ...weights });
        index.set((found.index!.data as Int32Array).subarray(0, size * k), from * k);
        const values = found.value!.data as Float32Array;
        for (let p = 0; p < size * k; p++) value[from * k + p] = Math.max(values[p]!, 0);
      }
      return { n_tokens: n, k, index, value };
    },
    decode: decoder,
    async release() {
      for (const run of compiled.values()) await (await run).release();
      compiled.clear();
    },
  };
}

function decodeKernel(
  { d_in, d_sae, W_dec, b_dec, scale }: Dictionary,
  stride: number,
): Coder["decode"] {
  const bytes = 4 * (d_sae + 1 + decodeRows) * stride + 256;
  const first = kernels(bytes + 8 * decodeRows * 512);
  const weights = first.floats(d_sae * stride);
  restride(W_dec, d_in, stride, weights.data);
  const bias = first.floats(stride);
  bias.data.set(b_dec);
  const out = first.floats(decodeRows * stride);
  const slots = decodeRows * 512;
  const index = first.words(slots);
  const value = first.floats(slots);

  return (rows) => {
    const { n_tokens, k } = rows;
    check(k <= slots, "shape/k", "too many slots a token", { got: k, wanted: `at most ${slots}` });
    for (let p = 0; p < rows.index.length; p++)
      check(
        rows.index[p]! >= 0 && rows.index[p]! < d_sae,
        "dictionary/feature",
        "no such feature",
        {
          got: rows.index[p],
          wanted: `0 to ${d_sae - 1}`,
        },
      );
    const result = new Float32Array(n_tokens * d_in);
    const step = Math.max(1, Math.min(decodeRows, Math.floor(slots / k)));
    for (let from = 0; from < n_tokens; from += step) {
      const size = Math.min(step, n_tokens - from);
      index.data.set(rows.index.subarray(from * k, (from + size) * k));
      value.data.set(rows.value.subarray(from * k, (from + size) * k));
      first.decode(weights.at, bias.at, index.at, value.at, out.at, size, k, stride);
      const part = result.subarray(from * d_in, (from + size) * d_in);
      restride(out.data.subarray(0, size * stride), stride, d_in, part);
    }
    if (scale !== 1) for (let i = 0; i < result.length; i++) result[i]! /= scale;
    return result;
  };
}
