// What a graph becomes when some of its values are other values.
import { check } from "../base/errors.ts";
import { withInputs } from "./op.ts";
import { sameShape } from "./shape.ts";
import { reachable, showSpecs, type Value } from "./value.ts";

/** Another value of the same shape and dtype, which may be made of the one it is given. */
export type Swap = (value: Value) => Value;

/**
 * `roots`, where everything that read a key of `swaps` reads what its swap makes instead: steering
 * is `(x) => add(x, direction)`. A swap is given its value as earlier swaps left it. `now` tells
 * what became of any value.
 */
export function replace(
  roots: readonly Value[],
  swaps: ReadonlyMap<Value, Swap>,
): { roots: Value[]; now: (value: Value) => Value } {
  const byId = new Map([...swaps].map(([{ id }, swap]) => [id, swap]));
  const made = new Map<number, Value>();
  for (const value of reachable(roots)) {
    const inputs = value.inputs.map((from) => made.get(from.id)!);
    const next = withInputs(value, inputs);
    const swapped = byId.get(value.id)?.(next) ?? next;
    check(
      swapped.dtype === value.dtype && sameShape(swapped.shape, value.shape),
      "replace/spec",
      "a value can only be replaced by one like it",
      { where: value.name ?? value.op, got: showSpecs([swapped]), wanted: showSpecs([value]) },
    );
    made.set(value.id, swapped);
  }
  const now = (value: Value) => made.get(value.id) ?? value;
  return { roots: roots.map(now), now };
}
