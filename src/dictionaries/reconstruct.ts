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
  return (acts) => {
    const out = new Float32Array(acts.length);
    for (let at = 0; at < out.length; at += row.length) out.set(row, at);
    return out;
  };
}

/**
 * The k largest activations of each token, the others at `rest` (zero, or the site's mean). "Largest" is by
 * distance from `rest`, the choice with the smallest error.
 */
export function topNeurons(k: number, d_in: number, rest?: ArrayLike<number>): Reconstructor {
  const base = Float32Array.from(rest ?? new Float32Array(d_in));
  const size = Math.min(k, d_in);
  return (acts) => {
    const out = new Float32Array(acts.length);
    // Distances and places of the largest so far, the smallest of them first.
    const far = new Float32Array(size);
    const place = new Int32Array(size);
    for (let at = 0; at < acts.length; at += d_in) {
      far.fill(-1);
      for (let c = 0; c < d_in; c++) {
        const distance = Math.abs(acts[at + c]! - base[c]!);
        if (!(distance > far[0]!)) continue;
        let slot = 0;
        for (; slot + 1 < size && far[slot + 1]! < distance; slot++) {
          far[slot] = far[slot + 1]!;
          place[slot] = place[slot + 1]!;
        }
        far[slot] = distance;
        place[slot] = c;
      }
      out.set(base, at);
      for (const c of place) out[at + c] = acts[at + c]!;
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
