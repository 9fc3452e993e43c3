// How the reference's float64 numbers relate to tensors of every dtype.
import { fail } from "../base/errors.ts";
import { allocate, type DType, type Tensor, tensor } from "../tensor/tensor.ts";

/** Numbers of any dtype but the halves. */
export function toCells({ data, dtype }: Tensor): Float64Array {
  if (dtype === "float16" || dtype === "bfloat16")
    fail("interpret/dtype", "half floats are widened before they are used", { got: dtype });
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** A tensor of the dtype, each number rounded once. */
export function fromCells(dtype: DType, shape: readonly number[], cells: Float64Array): Tensor {
  const data = allocate(dtype, cells.length);
  for (let i = 0; i < cells.length; i++)
    data[i] = (dtype === "int64" ? BigInt(cells[i]!) : cells[i]!) as never;
  return tensor(dtype, shape, data);
}
