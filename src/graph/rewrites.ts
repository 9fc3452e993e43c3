// Which values have a cheaper equal: each rule looks at one value and may answer with another.
import { opOf, withInputs } from "./op.ts";
import { expand, reshape } from "./ops/broadcast.ts";
import { sameShape } from "./shape.ts";
import type { Value } from "./value.ts";

type Rewrite = (value: Value) => Value | undefined;

export const rewrites: readonly Rewrite[] = [dropExpand, expandLater];

const broadcasting = new Set(
  ["add", "sub", "mul", "div", "where", "maximum", "minimum", "pow"].concat([
    ..."equal less lessEqual greater greaterEqual and or".split(" "),
  ]),
);

/** x + expand(y) = x + y: elementwise ops broadcast by themselves. */
function dropExpand(value: Value): Value | undefined {
  if (!broadcasting.has(value.op)) return undefined;
  for (const [i, from] of value.inputs.entries()) {
    if (from.op !== "expand") continue;
    const inputs = value.inputs.map((other, j) => (j === i ? from.inputs[0]! : other));
    if (sameShape(opOf(value)!.infer(inputs, value.attrs).shape, value.shape))
      return withInputs(value, inputs);
  }
  return undefined;
}

/** reshape(expand(number)) = expand(number): one number has no layout. */
function expandLater(value: Value): Value | undefined {
  const [from] = value.inputs;
  if (from?.op !== "expand" || from.inputs[0]!.shape.some((n) => n !== 1)) return undefined;
  if (value.op !== "reshape" && value.op !== "transpose" && value.op !== "expand") return undefined;
  return expand(reshape(from.inputs[0]!, []), value.shape);
}
