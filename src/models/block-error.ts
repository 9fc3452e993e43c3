// How far are quantised weights from those that were trained? Measured tensor by tensor.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { blockTypes } from "../tensor/quantized.ts";
import type { Model, StoredBlocks } from "./config.ts";
import type { View } from "./views.ts";
import { readWidened } from "./widen.ts";

export interface BlockError {
  readonly name: string;
  /** The block type: Q4_0, Q6_K, … */
  readonly stored: string;
  /** Root mean square of the difference over that of the reference. */
  readonly relative: number;
  readonly largest: number;
}

/** Every tensor in blocks, against the tensor of the same name in a file with the trained weights. */
export async function blockErrors(
  file: TensorFile,
  reference: TensorFile,
  context: Context = {},
): Promise<BlockError[]> {
  const blocks = [...file.entries.values()].filter(({ stored }) => stored in blockTypes);
  const found: BlockError[] = [];
  for (const { name, stored, shape } of blocks) {
    throwIfStopped(context);
    const other = reference.entries.get(name);
    check(
      other?.shape.join() === shape.join(),
      "model/weights",
      "the reference has no such tensor",
      {
        where: `${reference.where}: ${name}`,
        got: other && `[${other.shape.join(", ")}]`,
        wanted: `[${shape.join(", ")}]`,
      },
    );
    const got = (await readWidened(file, name)).data as Float32Array;
    const wanted = (await readWidened(reference, name)).data as Float32Array;
    found.push(Object.freeze({ name, stored, ...distance(got, wanted) }));
    context.onProgress?.({
      stage: "measure",
      done: found.length,
      total: blocks.length,
      unit: "tensors",
    });
  }
  return found;
}

function distance(got: Float32Array, wanted: Float32Array): { relative: number; largest: number } {
  const { squares, whole, largest } = sums(got, wanted);
  return { relative: whole === 0 ? Math.sqrt(squares) : Math.sqrt(squares / whole), largest };
}

function sums(got: Float32Array, wanted: Float32Array) {
  let [squares, whole, largest] = [0, 0, 0];
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i]! - wanted[i]!);
    squares += difference * difference;
    whole += wanted[i]! * wanted[i]!;
    largest = Math.max(largest, difference);
  }
  return { squares, whole, largest };
}

/** Which tensors lie in blocks of fewer than 8 bits; undefined where none does. */
export function fewBits({ entries }: TensorFile): ReadonlyMap<string, string> | undefined {
  const found = [...entries.values()].filter(({ stored }) => (blockTypes[stored]?.bits ?? 8) < 8);
  return found.length === 0 ? undefined : new Map(found.map(({ name, stored }) => [name, stored]));
}

/**
 * What a model is told by whose weights lie in such blocks. The trained model may lie in any format:
 * they are compared weight by weight, under their TransformerLens names.
 */
export function storedBlocks(
  model: Model,
  views: Readonly<Record<string, View>>,
  few: ReadonlyMap<string, string>,
  { reference, ...context }: Context & { reference?: Model } = {},
): StoredBlocks {
  const types: Record<string, number> = {};
  for (const stored of few.values()) types[stored] = (types[stored] ?? 0) + 1;
  if (reference === undefined) return Object.freeze({ types: Object.freeze(types) });
  const names = Object.keys(views).filter(
    (name) => few.has(views[name]!.tensor) && !(model.config.tied && name === "unembed.W_U"),
  );
  let [squares, whole, largest] = [0, 0, 0];
  for (const [done, name] of names.entries()) {
    throwIfStopped(context);
    const [got, wanted] = [model.weights[name]!, reference.weights[name]];
    check(
      wanted?.shape.join() === got.shape.join(),
      "model/weights",
      "the trained model has no such weight",
      {
        where: `${reference.config.name}: ${name}`,
        got: wanted && `[${wanted.shape.join(", ")}]`,
        wanted: `[${got.shape.join(", ")}]`,
      },
    );
    const part = sums(got.data, wanted!.data);
    squares += part.squares;
    whole += part.whole;
    largest = Math.max(largest, part.largest);
    context.onProgress?.({
      stage: "measure",
      done: done + 1,
      total: names.length,
      unit: "weights",
    });
  }
  const relative = whole === 0 ? Math.sqrt(squares) : Math.sqrt(squares / whole);
  const error = Object.freeze({ relative, largest, reference: reference.hash });
  return Object.freeze({ types: Object.freeze(types), error });
}

/** In which a model is computed, and of which weights: `float32`, or what was lost on the way. */
export function weightDtype({ blocks }: Pick<Model, "blocks">): string {
  if (blocks === undefined) return "float32";
  const types = Object.entries(blocks.types).map(([type, n]) => `${n} ${type}`);
  const { error } = blocks;
  const far =
    error === undefined
      ? "error not measured"
      : `relative error ${error.relative.toPrecision(3)} to ${error.reference.slice(0, 12)}`;
  return `float32 of blocks: ${types.join(", ")}; ${far}`;
}
