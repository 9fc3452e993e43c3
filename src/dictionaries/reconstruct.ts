// What can stand in for a site's activations: the type that splicing takes, and the simplest of them.
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { Coder } from "./coder.ts";

/** acts [n, d_in] → the same shape; the input is not changed. */
export type Reconstructor = (acts: Float32Array, n: number) => Float32Array | Promise<Float32Array>;

export function dictionaryReconstructor(coder: Coder): Reconstructor {
  return async (acts) => coder.decode(await coder.encode(acts));
}

/** Every token gets this row: mean ablation, or zero ablation. */
export function constantReconstructor(row: ArrayLike<number>): Reconstructor {
  return (acts) => Float32Array.from(acts, (_, i) => row[i % row.length]!);
}

/**
 * The k largest activations of each token, the others at `rest` (zero, or the site's mean). With a mean,
 * "largest" is by distance from it, the choice with the smallest error.
 */
export function topNeurons(k: number, d_in: number, rest?: ArrayLike<number>): Reconstructor {
  return (acts) => {
    const base = (c: number): number => rest?.[c] ?? 0;
    const out = Float32Array.from(acts, (_, i) => base(i % d_in));
    const far = new Float32Array(d_in);
    for (let at = 0; at < acts.length; at += d_in) {
      for (let c = 0; c < d_in; c++) far[c] = -Math.abs(acts[at + c]! - base(c));
      const least = far.slice().sort()[Math.min(k, d_in) - 1]!;
      let left = k;
      for (let c = 0; c < d_in; c++) if (far[c]! < least && left-- > 0) out[at + c] = acts[at + c]!;
      for (let c = 0; c < d_in; c++)
        if (far[c] === least && left-- > 0) out[at + c] = acts[at + c]!;
    }
    return out;
  };
}

/** Calls `run` on chunks of exactly `rows` rows; the last one is filled up with zeros. */
export async function inChunks(
  acts: Float32Array,
  { rows, d }: { rows: number; d: number },
  run: (x: Tensor<"float32">, from: number, size: number) => Promise<void>,
): Promise<void> {
  const n = acts.length / d;
  const x = tensor("float32", [rows, d], new Float32Array(rows * d));
  for (let from = 0; from < n; from += rows) {
    const size = Math.min(rows, n - from);
    x.data.fill(0, size * d);
    x.data.set(acts.subarray(from * d, (from + size) * d));
    await run(x, from, size);
  }
}
