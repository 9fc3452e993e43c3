// A file of named tensors, whatever its format: what it lists, and how one is read.
import { fail } from "../base/errors.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";

export interface TensorEntry {
  readonly name: string;
  /** As it lies there, by the names of safetensors and GGUF: F32, BF16, I64, Q8_0, Q4_K, … */
  readonly stored: string;
  /** What `read` gives. Halves keep their bits; quantised blocks become float32. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Key of the file in its store. */
  readonly file: string;
  /** Bytes [start, end) of the file, when those are the tensor as it stands: row-major, little-endian, of `dtype`. */
  readonly range?: readonly [start: number, end: number];
}

export interface TensorFile {
  readonly format: "safetensors" | "torch" | "gguf" | "llama2c" | "sharded";
  /** For error texts: store and key. */
  readonly where: string;
  /** Key → bytes, of every file that belongs to it. */
  readonly files: ReadonlyMap<string, number>;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  read(name: string): Promise<Tensor>;
}

/** The entry, or `format/name` with some names that there are. */
export function entryOf<T>(entries: ReadonlyMap<string, T>, name: string, where: string): T {
  const found = entries.get(name);
  if (found !== undefined) return found;
  return fail("format/name", "the file has no such tensor", {
    where,
    got: name,
    wanted: [...entries.keys()].slice(0, 8).join(", "),
  });
}
