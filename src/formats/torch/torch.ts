// The tensors of a PyTorch file by name, as views of storages that stay in the file.
import { check, fail } from "../../base/errors.ts";
import type { Store } from "../../storage/store.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { openSource, type Source } from "../cursor.ts";
import { decodeStored, isPlain, storedTypes } from "../stored.ts";
import { entryOf, type TensorEntry, type TensorFile } from "../tensor-file.ts";
import { readArchive } from "./archive.ts";
import { isTensor, type TensorRef } from "./names.ts";
import type { Pickled } from "./pickle.ts";

export interface TorchFile extends TensorFile {
  /** Numbers, texts, … that stood beside the tensors, by name. */
  readonly values: ReadonlyMap<string, Pickled>;
}

/** Nesting of dicts and lists; a state dict has one level, a training checkpoint five. */
const maxDepth = 16;
/** A view may repeat what its storage holds (`expand`), but not make a small file a large tensor. */
const mostRepeats = 16;

interface Placed extends TensorEntry {
  readonly ref: TensorRef;
  /** Where element 0 of its storage lies in the file. */
  readonly origin: number;
}

/**
 * `.pt`, `.pth`, `.bin`: a state dict, or dicts and lists of them, whose names are joined by dots
 * (`model.w`). Builds tensors, dicts, lists, tuples, numbers and texts; every other name in the
 * file is refused with `format/torch-call`, and nothing is ever run.
 */
export async function openTorch(store: Store, key: string): Promise<TorchFile> {
  const source = await openSource(store, key);
  const { value, places } = await readArchive(source);
  const entries = new Map<string, Placed>();
  const values = new Map<string, Pickled>();
  // What is shared is listed once for each name that it has: names cost, so they are bounded.
  let budget = mostRepeats * source.size;
  walk(value, "", 0);
  return Object.freeze({
    format: "torch",
    where: source.where,
    files: new Map([[key, source.size]]),
    entries,
    values,
    read: async (name: string) => readTensor(source, entryOf(entries, name, source.where)),
  });

  function walk(at: Pickled, name: string, depth: number): void {
    budget -= 1 + name.length + (Array.isArray(at) ? at.length : 0);
    check(depth <= maxDepth && budget >= -4096, "format/torch-size", "the file nests too much", {
      where: source.where,
      got: name.slice(0, 80),
    });
    const under = (part: unknown): string => (name === "" ? `${part}` : `${name}.${part}`);
    if (isTensor(at)) add(name, place(at, name));
    else if (at instanceof Map) {
      for (const [part, value] of at)
        if (typeof part === "string" || typeof part === "number")
          walk(value, under(part), depth + 1);
    } else if (Array.isArray(at) && at.some(holdsMore))
      for (const [i, value] of at.entries()) walk(value, under(i), depth + 1);
    else values.set(name, at);
  }

  function add(name: string, entry: Placed): void {
    check(!entries.has(name), "format/torch-tensor", "two tensors have one name", {
      where: source.where,
      got: name,
    });
    entries.set(name, entry);
  }

  function place(ref: TensorRef, name: string): Placed {
    const where = `${source.where}: ${name}`;
    const { as, bytes: width } = storedTypes[ref.stored]!;
    const [start, end] =
      places.get(ref.storage.key) ?? fail("format/torch-tensor", "no storage", { where });
    const size = sizeOf(ref.shape);
    check(
      size * width <= Math.max(mostRepeats * source.size, 4096),
      "format/torch-size",
      "the tensor is far larger than its file",
      {
        where,
        got: `[${ref.shape.join(", ")}]`,
        wanted: `at most ${mostRepeats} × ${source.size} bytes`,
      },
    );
    const last = size === 0 ? ref.offset : ref.offset + reach(ref) + 1;
    check(start + last * width <= end, "format/torch-tensor", "the tensor runs past its storage", {
      where,
      got: `${last} elements`,
      wanted: `at most ${(end - start) / width}`,
    });
    const from = start + ref.offset * width;
    const plain = isPlain(ref.stored) && isRowMajor(ref);
    return Object.freeze({
      name,
      stored: ref.stored,
      dtype: as,
      shape: ref.shape,
      file: key,
      ...(plain && { range: Object.freeze([from, from + size * width] as const) }),
      ref,
      origin: start,
    });
  }
}

function holdsMore(value: Pickled): boolean {
  return isTensor(value) || value instanceof Map || Array.isArray(value);
}

/** Elements between the first and the last of a tensor that is not empty. */
function reach({ shape, stride }: TensorRef): number {
  return shape.reduce((sum, n, axis) => sum + (n - 1) * stride[axis]!, 0);
}

function isRowMajor({ shape, stride }: TensorRef): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== step) return sizeOf(shape) === 0;
    step *= shape[axis]!;
  }
  return true;
}

async function readTensor(source: Source, { ref, origin }: Placed): Promise<Tensor> {
  const { bytes: width } = storedTypes[ref.stored]!;
  const size = sizeOf(ref.shape);
  const from = origin + ref.offset * width;
  if (isRowMajor(ref))
    return decodeStored(ref.stored, ref.shape, await source.read(from, from + size * width));
  const span = await source.read(from, from + (reach(ref) + 1) * width);
  return decodeStored(ref.stored, ref.shape, gather(span, ref, width));
}

/** The strided elements, in row-major order. */
function gather(span: Uint8Array, { shape, stride }: TensorRef, width: number): Uint8Array {
  const size = sizeOf(shape);
  const from = elements(span.byteOffset % width === 0 ? span : new Uint8Array(span), width);
  const out = elements(new Uint8Array(size * width), width);
  // Rows along the last axis; the other axes count like the digits of a number.
  const last = shape.length - 1;
  const [length, step] = [shape[last] ?? 1, stride[last] ?? 1];
  const index = new Array<number>(shape.length).fill(0);
  let at = 0;
  for (let i = 0; i < size; i += length) {
    for (let j = 0; j < length; j++) out[i + j] = from[at + j * step]!;
    for (let axis = last - 1; axis >= 0; axis--) {
      at += stride[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= index[axis]! * stride[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

/** Bits are moved, not numbers: whole numbers keep those of a NaN. */
function elements({ buffer, byteOffset, byteLength }: Uint8Array, width: number) {
  const n = byteLength / width;
  if (width === 1) return new Uint8Array(buffer, byteOffset, n);
  if (width === 2) return new Uint16Array(buffer, byteOffset, n);
  if (width === 4) return new Uint32Array(buffer, byteOffset, n);
  return new BigUint64Array(buffer, byteOffset, n);
}
