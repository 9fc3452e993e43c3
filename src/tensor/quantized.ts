// How blocks of small whole numbers with a scale become float32. Layouts: ggml-common.h of llama.cpp.
import { check } from "../base/errors.ts";
import { widenF16 } from "./half.ts";

export interface BlockType {
  /** Elements of a block. */
  readonly size: number;
  readonly bytes: number;
  /** Bits of one element; 8 keep what was there nearly, 4 and fewer are other weights. */
  readonly bits: number;
  /** Where the half-precision scales stand: d, then m or dmin. */
  readonly scales: readonly number[];
  /** Block at `at` → values; `d`, `m` are the scales. Each value is rounded once, to float32. */
  readonly widen: (
    b: Uint8Array,
    at: number,
    out: Float32Array,
    to: number,
    d: number,
    m: number,
  ) => void;
}

const signed = (byte: number): number => (byte << 24) >> 24;

/** Low nibbles are the first 16 elements, high nibbles the rest; `offset` is where they stand. */
function nibbles(
  offset: number,
  value: (q: number, i: number, b: Uint8Array, at: number) => number,
): BlockType["widen"] {
  return (b, at, out, to, d, m) => {
    for (let i = 0; i < 32; i++) {
      const byte = b[at + offset + (i & 15)]!;
      out[to + i] = d * value(i < 16 ? byte & 15 : byte >> 4, i, b, at) + m;
    }
  };
}

/** Q5_0, Q5_1: the fifth bits stand as 32 bits before the nibbles. */
function fiveBits(high: number, less: number): BlockType["widen"] {
  return nibbles(high + 4, (q, i, b, at) => {
    const bit = (b[at + high + (i >> 3)]! >> (i & 7)) & 1;
    return (q | (bit << 4)) - less;
  });
}

/** Scale and minimum `j` of the eight that Q4_K and Q5_K pack into 12 bytes, 6 bits each. */
function scaleAndMin(b: Uint8Array, at: number, j: number): [scale: number, min: number] {
  if (j < 4) return [b[at + j]! & 63, b[at + j + 4]! & 63];
  const low = b[at + j + 4]!;
  return [(low & 15) | ((b[at + j - 4]! >> 6) << 4), (low >> 4) | ((b[at + j]! >> 6) << 4)];
}

function fourOrFiveBitK(qs: number, qh: number | undefined): BlockType["widen"] {
  return (b, at, out, to, d, m) => {
    for (let j = 0; j < 8; j++) {
      const [scale, min] = scaleAndMin(b, at + 4, j);
      for (let i = 0; i < 32; i++) {
        const byte = b[at + qs + 32 * (j >> 1) + i]!;
        const high = qh === undefined ? 0 : (b[at + qh + i]! >> j) & 1;
        const q = (j % 2 === 0 ? byte & 15 : byte >> 4) | (high << 4);
        out[to + 32 * j + i] = d * scale * q - m * min;
      }
    }
  };
}

const twoBitK: BlockType["widen"] = (b, at, out, to, d, m) => {
  for (let i = 0; i < 256; i++) {
    const scale = b[at + (i >> 4)]!;
    const q = (b[at + 16 + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;
    out[to + i] = d * (scale & 15) * q - m * (scale >> 4);
  }
};

const threeBitK: BlockType["widen"] = (b, at, out, to, d) => {
  for (let i = 0; i < 256; i++) {
    const j = i >> 4;
    const low = (b[at + 96 + (j & 7)]! >> (j < 8 ? 0 : 4)) & 15;
    const high = (b[at + 104 + (j & 3)]! >> (2 * (j >> 2))) & 3;
    const q = (b[at + 32 + 32 * (i >> 7) + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3;
    const less = (b[at + (i & 31)]! >> (i >> 5)) & 1 ? 0 : 4;
    out[to + i] = d * ((low | (high << 4)) - 32) * (q - less);
  }
};

const sixBitK: BlockType["widen"] = (b, at, out, to, d) => {
  for (let i = 0; i < 256; i++) {
    const [half, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31];
    const byte = b[at + 64 * half + 32 * (quarter & 1) + l]!;
    const low = quarter < 2 ? byte & 15 : byte >> 4;
    const high = (b[at + 128 + 32 * half + l]! >> (2 * quarter)) & 3;
    out[to + i] = d * signed(b[at + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32);
  }
};

const eightBits: BlockType["widen"] = (b, at, out, to, d) => {
  for (let i = 0; i < 32; i++) out[to + i] = d * signed(b[at + 2 + i]!);
};

/** By GGUF's names. */
export const blockTypes: Readonly<Record<string, BlockType>> = {
  Q8_0: { size: 32, bytes: 34, bits: 8, scales: [0], widen: eightBits },
  Q4_0: { size: 32, bytes: 18, bits: 4, scales: [0], widen: nibbles(2, (q) => q - 8) },
  Q4_1: { size: 32, bytes: 20, bits: 4, scales: [0, 2], widen: nibbles(4, (q) => q) },
  Q5_0: { size: 32, bytes: 22, bits: 5, scales: [0], widen: fiveBits(2, 16) },
  Q5_1: { size: 32, bytes: 24, bits: 5, scales: [0, 2], widen: fiveBits(4, 0) },
  Q2_K: { size: 256, bytes: 84, bits: 2, scales: [80, 82], widen: twoBitK },
  Q3_K: { size: 256, bytes: 110, bits: 3, scales: [108], widen: threeBitK },
  Q4_K: { size: 256, bytes: 144, bits: 4, scales: [0, 2], widen: fourOrFiveBitK(16, undefined) },
  Q5_K: { size: 256, bytes: 176, bits: 5, scales: [0, 2], widen: fourOrFiveBitK(48, 16) },
  Q6_K: { size: 256, bytes: 210, bits: 6, scales: [208], widen: sixBitK },
};

/** Blocks → values. Q8_0 is exact: a half times 8 bits fits float32. */
export function widenBlocks(name: string, bytes: Uint8Array): Float32Array {
  const type = blockTypes[name];
  check(type !== undefined && bytes.length % type.bytes === 0, "dtype/blocks", "not whole blocks", {
    got: `${bytes.length} bytes of ${name}`,
    wanted: type === undefined ? Object.keys(blockTypes).join(", ") : `a multiple of ${type.bytes}`,
  });
  const n = bytes.length / type.bytes;
  // A missing minimum is −0: added to anything, −0 included, it changes nothing.
  const bits = new Uint16Array(2 * n).fill(0x8000);
  for (let i = 0; i < n; i++)
    type.scales.forEach((at, j) => {
      bits[2 * i + j] = bytes[i * type.bytes + at]! | (bytes[i * type.bytes + at + 1]! << 8);
    });
  const scales = widenF16(bits);
  const out = new Float32Array(n * type.size);
  for (let i = 0; i < n; i++)
    type.widen(bytes, i * type.bytes, out, i * type.size, scales[2 * i]!, scales[2 * i + 1]!);
  return out;
}
