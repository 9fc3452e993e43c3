// Two ways to one value: through values that somebody may want to read, and past them.
import { check } from "../../base/errors.ts";
import { defineOp } from "../op.ts";
import { sameShape } from "../shape.ts";
import { showSpecs, type Value } from "../value.ts";

const makeShortcut = defineOp<Record<string, never>>({
  name: "shortcut",
  infer: (inputs) => {
    const [plain, quick] = inputs as [Value, Value];
    check(
      sameShape(plain.shape, quick.shape) && plain.dtype === quick.dtype,
      "shape/shortcut",
      "shortcut: the two ways do not lead to one value",
      { got: showSpecs(inputs.slice(0, 2)), wanted: "two of one shape and dtype" },
    );
    return { shape: plain.shape, dtype: plain.dtype };
  },
  // The gradient goes the plain way: what it reads there is then there to be read.
  vjp: (grad) => [grad],
  lower: (_, __, [plain]) => plain!,
  reference: ([plain]) => plain!,
});

/**
 * `plain`, or `quick`, which is the same number from fewer or cheaper values: chosen when a program
 * is made, if nothing but the plain way itself reads any of the `passed` values. A captured site, or
 * one that a gradient needs, is thus computed where it is wanted and only there.
 */
export function shortcut(plain: Value, quick: Value, passed: readonly Value[]): Value {
  return makeShortcut([plain, quick, ...passed], {});
}

/** Whether the quick way may be taken: `users` are the ops that use a value, once a use. */
export function mayPass(value: Value, users: (of: Value) => readonly string[]): boolean {
  const passed = value.inputs.slice(2);
  return passed.every((one) => users(one).filter((op) => op !== "shortcut").length <= 1);
}
