// How do numbers enter a program: as inputs, whose names and shapes decide the graph and whose contents do not.
import type { DType, Tensor } from "../tensor/tensor.ts";

/** A number or tensor that is fed: an input of the program. */
export interface Slot {
  readonly name: string;
  readonly tensor: Tensor;
  /** The first axis is the batch: a run of some rows is fed those rows. */
  readonly perRow: boolean;
}

export const slotOf = (name: string, tensor: Tensor, perRow = false): Slot => ({
  name,
  tensor,
  perRow,
});

/** What of a step decides the graph: kinds, names, dtypes and shapes, but no numbers. */
export function shown(parts: object): unknown[] {
  return Object.entries(parts).map(([key, part]) => {
    if (isSlot(part)) return [key, part.name, ...specOf(part, 0)];
    if (key === "splice") return [key, (part as { hash: string }).hash];
    return typeof part === "object" && part !== null ? [key, shown(part)] : [key, part];
  });
}

export function isSlot(part: unknown): part is Slot {
  return typeof part === "object" && part !== null && "perRow" in part && "tensor" in part;
}

/** Of a slot's input in a run of `batch` rows. */
export function specOf({ tensor, perRow }: Slot, batch: number): [DType, readonly number[]] {
  return [tensor.dtype, perRow ? [batch, ...tensor.shape.slice(1)] : tensor.shape];
}
