// What does the head of a GGUF file say? Version, metadata, and where the tensors lie.
// Specification: docs/gguf.md of ggml.
import { check, fail } from "../../base/errors.ts";
import type { Cursor } from "../cursor.ts";

export type GgufValue =
  | number
  | bigint
  | boolean
  | string
  | ArrayLike<number>
  | readonly GgufValue[];

export interface GgufInfo {
  readonly name: string;
  /** Number of the type, as ggml counts them. */
  readonly type: number;
  /** As the file has them: the fastest first, the reverse of a row-major shape. */
  readonly dims: readonly number[];
  /** From the start of the data. */
  readonly offset: number;
}

export interface GgufHead {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufInfo[];
  /** Where the data start. */
  readonly dataStart: number;
  readonly alignment: number;
}

const code = "format/gguf";
/** Arrays of arrays: the specification allows them, nobody nests them further. */
const maxDepth = 4;

export function parseHead(c: Cursor): GgufHead {
  check(c.u32() === 0x46554747, code, "this is no GGUF file", {
    where: c.where,
    wanted: "the letters GGUF at the start",
  });
  const version = c.u32();
  check(version === 2 || version === 3, `${code}-version`, "this version of GGUF is not read", {
    where: c.where,
    got: version > 0xffff ? "big-endian" : version,
    wanted: "2 or 3, little-endian",
  });
  const nTensors = count(c, 24, "tensors");
  const nValues = count(c, 13, "metadata values");
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < nValues; i++) {
    const key = c.text(c.u64());
    check(!metadata.has(key), `${code}-metadata`, "a key stands there twice", {
      where: c.where,
      got: key,
    });
    metadata.set(key, readValue(c, c.u32(), 0));
  }
  const tensors = Array.from({ length: nTensors }, () => readInfo(c));
  const alignment = metadata.get("general.alignment") ?? 32;
  check(
    typeof alignment === "number" && isPowerOfTwo(alignment),
    `${code}-metadata`,
    "general.alignment is no power of two",
    { where: c.where, got: typeof alignment === "object" ? "an array" : String(alignment) },
  );
  const dataStart = Math.ceil(c.at() / alignment) * alignment;
  return { version, metadata, tensors, dataStart, alignment };
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= 2 ** 30 && (n & (n - 1)) === 0;
}

/** A count of things that each need some bytes: refused when the file cannot hold them. */
function count(c: Cursor, bytesEach: number, what: string): number {
  const n = c.u64();
  check(n * bytesEach <= c.left(), `${code}-length`, `the file is too short for its ${what}`, {
    where: c.where,
    got: n,
    wanted: `at most ${Math.floor(c.left() / bytesEach)}`,
    hint: "the download may be incomplete",
  });
  return n;
}

function readInfo(c: Cursor): GgufInfo {
  const name = c.text(c.u64());
  const axes = c.u32();
  check(axes <= 8, `${code}-tensor`, "a tensor has too many axes", {
    where: `${c.where}: ${name}`,
    got: axes,
    wanted: "at most 8",
  });
  const dims = Array.from({ length: axes }, () => c.u64());
  return { name, dims, type: c.u32(), offset: c.u64() };
}

// Number of the value type → its bytes, and how one is read.
const scalars: Readonly<
  Record<number, { bytes: number; read: (c: Cursor) => number | boolean | bigint }>
> = {
  0: { bytes: 1, read: (c) => c.u8() },
  1: { bytes: 1, read: (c) => (c.u8() << 24) >> 24 },
  2: { bytes: 2, read: (c) => c.u16() },
  3: { bytes: 2, read: (c) => (c.u16() << 16) >> 16 },
  4: { bytes: 4, read: (c) => c.u32() },
  5: { bytes: 4, read: (c) => c.i32() },
  6: { bytes: 4, read: (c) => c.f32() },
  7: { bytes: 1, read: (c) => c.u8() !== 0 },
  10: { bytes: 8, read: (c) => small(c.big64(false)) },
  11: { bytes: 8, read: (c) => small(c.big64(true)) },
  12: { bytes: 8, read: (c) => c.f64() },
};
const textType = 8;
const arrayType = 9;

function small(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readValue(c: Cursor, type: number, depth: number): GgufValue {
  if (type === textType) return c.text(c.u64());
  if (type === arrayType) return readArray(c, depth + 1);
  const scalar = scalars[type];
  if (scalar === undefined)
    return fail(`${code}-metadata`, "unknown type of a metadata value", {
      where: `${c.where}: byte ${c.at()}`,
      got: type,
    });
  return scalar.read(c);
}

/** Numbers of up to 32 bits and floats come as typed arrays, the rest as lists. */
function readArray(c: Cursor, depth: number): GgufValue {
  check(depth <= maxDepth, `${code}-metadata`, "arrays are nested too deeply", { where: c.where });
  const type = c.u32();
  const scalar = scalars[type];
  const n = count(c, scalar?.bytes ?? (type === textType ? 8 : 12), "array elements");
  const made = typedArray(type, n);
  if (made === undefined) return Array.from({ length: n }, () => readValue(c, type, depth));
  // Fetched as a whole first, so that a repeated attempt does not begin to fill it.
  const bytes = new Uint8Array(c.bytes(n * scalar!.bytes));
  const view = new DataView(bytes.buffer);
  const get = getters[type]!;
  for (let i = 0; i < n; i++) made[i] = get(view, i * scalar!.bytes);
  return made;
}

const getters: Readonly<Record<number, (view: DataView, at: number) => number>> = {
  0: (view, at) => view.getUint8(at),
  1: (view, at) => view.getInt8(at),
  2: (view, at) => view.getUint16(at, true),
  3: (view, at) => view.getInt16(at, true),
  4: (view, at) => view.getUint32(at, true),
  5: (view, at) => view.getInt32(at, true),
  6: (view, at) => view.getFloat32(at, true),
  12: (view, at) => view.getFloat64(at, true),
};

function typedArray(type: number, n: number) {
  if (type === 0) return new Uint8Array(n);
  if (type === 1) return new Int8Array(n);
  if (type === 2) return new Uint16Array(n);
  if (type === 3) return new Int16Array(n);
  if (type === 4) return new Uint32Array(n);
  if (type === 5) return new Int32Array(n);
  if (type === 6) return new Float32Array(n);
  if (type === 12) return new Float64Array(n);
  return undefined;
}
