// Numbers in memory: a dtype, a shape, and row-major data.
import { check } from "../base/errors.ts";

export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  /** One byte each, 0 or 1. */
  bool: Uint8Array;
  /** Raw IEEE half bits; widen with `widenF16`. */
  float16: Uint16Array;
  /** Raw bfloat16 bits. */
  bfloat16: Uint16Array;
}

export type DType = keyof TypedArrays;

export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: TypedArrays[D];
}

export const bytesPerElement: Record<DType, number> = {
  float32: 4,
  float64: 8,
  int32: 4,
  int64: 8,
  uint8: 1,
  bool: 1,
  float16: 2,
  bfloat16: 2,
};

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Wraps data without copying; refuses a length that disagrees with the shape. */
export function tensor<D extends DType>(
  dtype: D,
  shape: readonly number[],
  data: TypedArrays[D],
): Tensor<D> {
  const size = sizeOf(shape);
  check(data.length === size, "shape/size", `${dtype} tensor: data and shape disagree`, {
    got: `${data.length} elements`,
    wanted: `[${shape.join(", ")}] = ${size} elements`,
  });
  return Object.freeze({ dtype, shape: Object.freeze([...shape]), data });
}

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const;

/** A new zeroed array of the dtype. */
export function allocate<D extends DType>(dtype: D, size: number): TypedArrays[D] {
  return new constructors[dtype](size) as TypedArrays[D];
}

/** A new array of the dtype, element by element; int64 takes whole numbers or bigints. */
export function filled<D extends DType>(
  dtype: D,
  size: number,
  of: (i: number) => number | bigint,
): TypedArrays[D] {
  const data = allocate(dtype, size);
  // One array type a dtype: only here do the two kinds of numbers meet.
  for (let i = 0; i < size; i++) data[i] = (dtype === "int64" ? BigInt(of(i)) : of(i)) as never;
  return data;
}

export function zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  return tensor(dtype, shape, allocate(dtype, sizeOf(shape)));
}

/** float32 tensor from numbers. */
export function f32(shape: readonly number[], data: ArrayLike<number>): Tensor<"float32"> {
  return tensor("float32", shape, Float32Array.from(data));
}
