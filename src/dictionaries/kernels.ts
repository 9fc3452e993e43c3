// How TypeScript reaches the kernels: one instance, one memory, named arrays in it.
import { fail } from "../base/errors.ts";
import { kernelBytes } from "./kernels.generated.ts";

type Pointer = number;

/** The exports of kernels.as.ts; read that file for the meaning of each. */
export interface KernelExports {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  decode(
    W_dec: Pointer,
    b_dec: Pointer,
    index: Pointer,
    value: Pointer,
    out: Pointer,
    rows: number,
    k: number,
    stride: number,
  ): void;
  residual(
    x: Pointer,
    W_dec: Pointer,
    b_dec: Pointer,
    index: Pointer,
    value: Pointer,
    r: Pointer,
    g: Pointer,
    rows: number,
    k: number,
    stride: number,
  ): number;
  columnSums(rows: Pointer, n: number, out: Pointer, stride: number): void;
  group(
    index: Pointer,
    value: Pointer,
    g: Pointer,
    rows: number,
    k: number,
    from: number,
    to: number,
    offsets: Pointer,
    pairToken: Pointer,
    pairValue: Pointer,
    pairG: Pointer,
  ): void;
  gradients(
    offsets: Pointer,
    pairToken: Pointer,
    pairValue: Pointer,
    pairG: Pointer,
    n: number,
    x: Pointer,
    r: Pointer,
    b_dec: Pointer,
    scale: number,
    dW_dec: Pointer,
    dW_enc: Pointer,
    db_enc: Pointer,
    stride: number,
  ): void;
  weightedRows(rows: Pointer, weight: Pointer, n: number, out: Pointer, stride: number): void;
  addRow(row: Pointer, other: Pointer, stride: number): void;
  sumSquares(p: Pointer, n: number, stride: number): number;
  adam(
    W: Pointer,
    gradient: Pointer,
    m: Pointer,
    v: Pointer,
    n: number,
    stride: number,
    rate: number,
    beta1: number,
    beta2: number,
    invSqrtBias2: number,
    eps: number,
    unit: number,
  ): void;
  pursue(
    c: Pointer,
    gram: Pointer,
    atoms: Pointer,
    out: Pointer,
    rows: number,
    m: number,
    k: number,
    stride: number,
  ): void;
}

/** An array inside the memory, with the address the kernels take. */
export interface Placed<A> {
  readonly at: Pointer;
  readonly data: A;
}

export interface Kernels extends KernelExports {
  /** Zeroed; refuses with `memory/kernels` above 4 GiB. */
  floats(size: number): Placed<Float32Array>;
  words(size: number): Placed<Int32Array>;
}

/** As much of the WebAssembly API as is used: TypeScript ships its types with the DOM only. */
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

const { Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
let compiled: object | undefined;

/**
 * A fresh instance whose memory holds `bytes` (the sum of what will be asked of `floats` and `words`,
 * 64 bytes of rounding for each): the memory never grows, so the views stay valid.
 */
export function kernels(bytes: number): Kernels {
  compiled ??= new Module(Uint8Array.from(atob(kernelBytes), (c) => c.charCodeAt(0)));
  const exports = new Instance(compiled, {}).exports as KernelExports;
  const base = 1024;
  try {
    exports.memory.grow(Math.ceil((base + bytes) / 65536));
  } catch (cause) {
    fail("memory/kernels", "the kernels' memory cannot hold this dictionary", {
      got: `${Math.ceil(bytes / 2 ** 20)} MiB in one worker`,
      wanted: "at most 4095 MiB",
      hint: "more workers hold less each: raise --threads, or lower d_sae",
      cause,
    });
  }
  const { buffer } = exports.memory;
  let next = base;
  const take = (size: number): Pointer => {
    const at = next;
    next += Math.ceil(size / 64) * 64;
    if (next > buffer.byteLength) fail("memory/kernels", "the kernels' memory is too small");
    return at;
  };
  return {
    ...exports,
    floats(size) {
      const at = take(size * 4);
      return { at, data: new Float32Array(buffer, at, size) };
    },
    words(size) {
      const at = take(size * 4);
      return { at, data: new Int32Array(buffer, at, size) };
    },
  };
}

/** Rows are padded to a multiple of 16 floats, so that no loop has a tail. */
export function strideOf(d: number): number {
  return Math.ceil(d / 16) * 16;
}

/** [n, d] → [n, stride], zeros at the end of each row; also back, when `from` is the wider one. */
export function restride(
  data: Float32Array,
  from: number,
  to: number,
  out: Float32Array = new Float32Array((data.length / from) * to),
): Float32Array {
  if (from === to) out.set(data);
  else {
    const width = Math.min(from, to);
    for (let row = 0, n = data.length / from; row < n; row++)
      out.set(data.subarray(row * from, row * from + width), row * to);
  }
  return out;
}
