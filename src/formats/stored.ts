// How the bytes of a tensor in a file become a tensor in memory.
import { type DType, type Tensor, type TypedArrays, tensor } from "../tensor/tensor.ts";

/** By the names of safetensors. Types without a counterpart in memory widen to the next exact one. */
export const storedTypes: Readonly<Record<string, { bytes: number; as: DType }>> = {
  F64: { bytes: 8, as: "float64" },
  F32: { bytes: 4, as: "float32" },
  F16: { bytes: 2, as: "float16" },
  BF16: { bytes: 2, as: "bfloat16" },
  I64: { bytes: 8, as: "int64" },
  I32: { bytes: 4, as: "int32" },
  U8: { bytes: 1, as: "uint8" },
  BOOL: { bytes: 1, as: "bool" },
  I16: { bytes: 2, as: "int32" },
  I8: { bytes: 1, as: "int32" },
  U16: { bytes: 2, as: "int32" },
  U32: { bytes: 4, as: "int64" },
};

/** True when the bytes in the file are what memory holds. */
export function isPlain(stored: string): boolean {
  return !["I16", "I8", "U16", "U32"].includes(stored);
}

/** Row-major, little-endian bytes → tensor. Small integer types come as int32, U32 as int64. */
export function decodeStored(
  stored: string,
  shape: readonly number[],
  bytes: Uint8Array<ArrayBufferLike>,
): Tensor {
  const { as, bytes: width } = storedTypes[stored]!;
  // Typed arrays need aligned memory, and a store may hand out a view at any offset. (`slice` would
  // not do: that of Node's Buffer copies nothing.)
  const aligned = bytes.byteOffset % width === 0;
  const buffer = (aligned ? bytes.buffer : new Uint8Array(bytes).buffer) as ArrayBuffer;
  const offset = aligned ? bytes.byteOffset : 0;
  const n = bytes.length / width;
  const widened = (): TypedArrays[DType] => {
    if (stored === "I16") return Int32Array.from(new Int16Array(buffer, offset, n));
    if (stored === "U16") return Int32Array.from(new Uint16Array(buffer, offset, n));
    if (stored === "I8") return Int32Array.from(new Int8Array(buffer, offset, n));
    if (stored === "U32") return BigInt64Array.from(new Uint32Array(buffer, offset, n), BigInt);
    return viewOf(as, buffer, offset, n);
  };
  return tensor(as, shape, widened());
}

export function viewOf(
  as: DType,
  buffer: ArrayBuffer,
  offset: number,
  n: number,
): TypedArrays[DType] {
  if (as === "float64") return new Float64Array(buffer, offset, n);
  if (as === "float32") return new Float32Array(buffer, offset, n);
  if (as === "float16" || as === "bfloat16") return new Uint16Array(buffer, offset, n);
  if (as === "int64") return new BigInt64Array(buffer, offset, n);
  if (as === "int32") return new Int32Array(buffer, offset, n);
  return new Uint8Array(buffer, offset, n);
}
