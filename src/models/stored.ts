// Where do the weights of an opened checkpoint lie, and how is one read: as views of stored tensors.
import { closeSync, openSync, readSync } from "node:fs";
import { check, fail } from "../base/errors.ts";
import { alias, input, type Value, type WeightFile, weight } from "../graph/index.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { leadingStretch, type View, type ViewStep, viewTensor, viewValue } from "./views.ts";

/** One tensor of a checkpoint: float32 in a file of this machine, or widened in memory. */
export type Source =
  | { readonly kind: "file"; readonly shape: readonly number[]; readonly file: WeightFile }
  | {
      readonly kind: "memory";
      readonly shape: readonly number[];
      readonly tensor: Tensor<"float32">;
    };

export interface Stored {
  /** By the name that the checkpoint gives. */
  readonly sources: Readonly<Record<string, Source>>;
  /** By TransformerLens name. */
  readonly views: Readonly<Record<string, View>>;
}

/** The graph value of one weight; `leaves` remembers what several weights share in one program. */
export function storedValue({ sources, views }: Stored, name: string, leaves: Map<string, Value>) {
  const { tensor: from, steps } = views[name]!;
  const source = sources[from]!;
  if (source.kind === "memory") {
    const leaf = leaves.get(from) ?? input(from, "float32", source.shape);
    leaves.set(from, leaf);
    return ownValue(leaf, steps);
  }
  // A vector stays whole: products with parts of one weight take their bias before they are parted.
  const { first, shape, rest } =
    source.shape.length === 1
      ? { first: 0, shape: source.shape, rest: steps }
      : leadingStretch(source.shape, steps);
  const whole = first === 0 && sizeOf(shape) === sizeOf(source.shape);
  const key = whole ? from : `${from} from ${first} [${shape}]`;
  const { path, offset } = source.file;
  const file = { path, offset: offset + 4 * first, length: 4 * sizeOf(shape) };
  const leaf = leaves.get(key) ?? weight(key, "float32", whole ? source.shape : shape, file);
  leaves.set(key, leaf);
  return ownValue(leaf, whole ? steps : rest);
}

/**
 * A value of its own, neither the leaf nor a view that a reader could take apart again: of two weights
 * that are tied each has its own gradient, and what reads a weight otherwise turned still reads it.
 */
function ownValue(leaf: Value, steps: readonly ViewStep[]): Value {
  return alias(viewValue(leaf, steps));
}

/** One weight in its own memory, or a part of what is there already. */
export function readStored({ sources, views }: Stored, name: string): Tensor<"float32"> {
  const seen = views[name];
  if (seen === undefined)
    fail("model/weights", `the model has no weight ${name}`, {
      got: name,
      wanted: Object.keys(views).slice(0, 8).join(", "),
    });
  const source = sources[seen.tensor]!;
  if (source.kind === "memory") return viewTensor(source.tensor, seen.steps);
  const { first, shape, rest } = leadingStretch(source.shape, seen.steps);
  const { path, offset } = source.file;
  const length = 4 * sizeOf(shape);
  const data = readFloats({ path, offset: offset + 4 * first, length });
  return viewTensor(tensor("float32", shape, data), rest);
}

/** Weights by name that are read when they are asked for, and not kept. */
export function lazyWeights(stored: Stored): Readonly<Record<string, Tensor<"float32">>> {
  const weights: Record<string, Tensor<"float32">> = {};
  for (const name of Object.keys(stored.views))
    Object.defineProperty(weights, name, {
      enumerable: true,
      get: () => readStored(stored, name),
    });
  return Object.freeze(weights);
}

/** Little-endian, as safetensors are and every machine that Node runs on. */
export function readFloats({ path, offset, length }: WeightFile): Float32Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, "r");
  try {
    let done = 0;
    while (done < length) {
      const n = readSync(file, bytes, done, length - done, offset + done);
      check(n > 0, "storage/short", "the file ends early", {
        where: path,
        got: `${offset + done} bytes`,
        wanted: `${offset + length} bytes`,
      });
      done += n;
    }
  } finally {
    closeSync(file);
  }
  return new Float32Array(bytes.buffer);
}
