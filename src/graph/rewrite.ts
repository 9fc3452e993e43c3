// What is a rule that makes a value cheaper: it looks at one value and may answer with its equal.
import { sizeOf } from "../tensor/tensor.ts";
import { reshape } from "./ops/broadcast.ts";
import { sameShape } from "./shape.ts";
import type { Value } from "./value.ts";

/** What a rule may know of the graph around a value. */
export interface Around {
  /** The ops that use it, once a use; "output" where the program does. */
  users(value: Value): readonly string[];
  /** The same value, if the graph has it already. */
  find(value: Value): Value | undefined;
}

export type Rewrite = (value: Value, around: Around) => Value | undefined;

/**
 * `value` = scale · body, where the scale is one number, or one number a row ([..., 1]). A scale
 * costs a pass over the body, so it is moved to where less has to be multiplied.
 */
export function scaled(value: Value): { scale: Value; body: Value; single: boolean } | undefined {
  if (value.op !== "mul") return undefined;
  for (const [scale, body] of [value.inputs, [...value.inputs].reverse()] as [Value, Value][]) {
    if (!sameShape(body.shape, value.shape) || sizeOf(body.shape) === 1) continue;
    if (sizeOf(scale.shape) === 1) return { scale: reshape(scale, []), body, single: true };
    const rows = [...body.shape.slice(0, -1), 1];
    if (sameShape(scale.shape, rows) && body.shape.at(-1) !== 1)
      return { scale, body, single: false };
  }
  return undefined;
}
