// How golden files write tensors: base64 of little-endian float32.
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

export interface Packed {
  shape: number[];
  f32: string;
}

export function unpack({ shape, f32 }: Packed): Tensor<"float32"> {
  const bytes = Uint8Array.from(Buffer.from(f32, "base64"));
  return tensor("float32", shape, new Float32Array(bytes.buffer));
}

export function unpackAll(all: Record<string, Packed>): Record<string, Tensor<"float32">> {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, unpack(value)]));
}

/** The largest difference, where infinities must agree. */
export function distance(a: Tensor, b: Tensor): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  let most = 0;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) most = Math.max(most, Math.abs(x[i]! - y[i]!));
  return most;
}
