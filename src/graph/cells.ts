// How the reference's float64 numbers relate to tensors of every dtype.
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../tensor/half.ts";
import { type DType, filled, type Tensor, tensor } from "../tensor/tensor.ts";

/** Numbers of any dtype; halves are widened. */
export function toCells({ data, dtype }: Tensor): Float64Array {
  if (dtype === "float16") return Float64Array.from(widenF16(data as Uint16Array));
  if (dtype === "bfloat16") return Float64Array.from(widenBF16(data as Uint16Array));
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** A tensor of the dtype, each number rounded once; an int64 beyond its range is the nearest one. */
export function fromCells(dtype: DType, shape: readonly number[], cells: Float64Array): Tensor {
  if (dtype === "float16") return tensor(dtype, shape, narrowF16(Float32Array.from(cells)));
  if (dtype === "bfloat16") return tensor(dtype, shape, narrowBF16(Float32Array.from(cells)));
  const of = (i: number) => (dtype === "int64" ? toInt64(cells[i]!) : cells[i]!);
  return tensor(dtype, shape, filled(dtype, cells.length, of));
}

const largest = 2n ** 63n - 1n;

/** "To the end" is written as the largest int64, which float64 rounds up beyond it. */
function toInt64(cell: number): bigint {
  if (cell >= 2 ** 63) return largest;
  return BigInt(Math.max(cell, -(2 ** 63)));
}
