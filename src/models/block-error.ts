// How far are quantised weights from those that were trained? Measured tensor by tensor.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { blockTypes } from "../tensor/quantized.ts";
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
  let [squares, whole, largest] = [0, 0, 0];
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i]! - wanted[i]!);
    squares += difference * difference;
    whole += wanted[i]! * wanted[i]!;
    largest = Math.max(largest, difference);
  }
  return { relative: whole === 0 ? Math.sqrt(squares) : Math.sqrt(squares / whole), largest };
}
