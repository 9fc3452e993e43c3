// How the two half-precision formats become float32 and back, exactly.
import { check } from "../base/errors.ts";
import { type Tensor, tensor } from "./tensor.ts";

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);
let table: Float32Array | undefined;

/** IEEE binary16 bits → float32. Exact for all 65,536 values. */
export function widenF16(bits: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, h) => f16ToNumber(h));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

function f16ToNumber(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >>> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float32 → binary16 bits: round to nearest, ties to even; beyond 65,519.99… becomes infinity. */
export function narrowF16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const sign = (x >>> 16) & 0x8000;
    const size = x & 0x7fffffff;
    if (size > 0x7f800000) out[i] = sign | 0x7e00;
    else if (size >= 0x477ff000) out[i] = sign | 0x7c00;
    else if (size >= 0x38800000) {
      // A normal half: rebias the exponent, keep 10 bits; a carry runs into the exponent as it should.
      const y = size - 0x38000000;
      out[i] = sign | ((y + 0xfff + ((y >>> 13) & 1)) >>> 13);
    } else if (size >= 0x33000000) {
      // A subnormal half: adding 0.5 makes the float unit round at 2^-24 for us.
      word[0] = size;
      real[0] = real[0]! + 0.5;
      out[i] = sign | (word[0]! - 0x3f000000);
    } else out[i] = sign;
  }
  return out;
}

/** bfloat16 bits → float32. Exact. */
export function widenBF16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/** float32 → bfloat16 bits: round to nearest, ties to even. */
export function narrowBF16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const nan = (x & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** float32, float16, bfloat16 or float64 → float32 (float64 rounds; the others are exact). */
export function toFloat32(from: Tensor): Tensor<"float32"> {
  const { dtype, shape, data } = from;
  if (dtype === "float32") return from as Tensor<"float32">;
  if (dtype === "float16") return tensor("float32", shape, widenF16(data as Uint16Array));
  if (dtype === "bfloat16") return tensor("float32", shape, widenBF16(data as Uint16Array));
  check(dtype === "float64", "dtype/float", "only floating-point tensors become float32", {
    got: dtype,
    wanted: "float64, float32, float16 or bfloat16",
  });
  return tensor("float32", shape, Float32Array.from(data as Float64Array));
}
