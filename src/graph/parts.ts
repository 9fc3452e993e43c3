// When is a product with a part of a weight a part of the product with the whole weight?
import { sizeOf } from "../tensor/tensor.ts";
import { reshape } from "./ops/broadcast.ts";
import { slice, transpose } from "./ops/layout.ts";
import { matmul } from "./ops/matmul.ts";
import type { Value } from "./value.ts";

/** One step of the way from the whole to the part, without the axis that the product sums over. */
type Step = (x: Value) => Value;

export interface PartOfProduct {
  /** What is sliced on the way: others that slice it too make the whole worth while. */
  readonly sliced: Value;
  /** The product of x [rows, inner] with the part. */
  make(x: Value, alpha: number): Value;
}

/**
 * `part` is a matrix made from a weight by slices, reshapes and transposes that leave the axis
 * `inner` alone: then x · part is made from x · weight by the same steps on the other axes.
 */
export function partOfProduct(part: Value, inner: 0 | 1): PartOfProduct | undefined {
  const steps: Step[] = [];
  let sliced: Value | undefined;
  let at: number = inner;
  let now = part;
  while (now.op === "slice" || now.op === "reshape" || now.op === "transpose") {
    const [from] = now.inputs as [Value];
    const before = axisBefore(now, at);
    if (before === undefined) return undefined;
    steps.unshift(withoutAxis(now, { at, before }));
    if (now.op === "slice") sliced = from;
    at = before;
    now = from;
  }
  if ((now.op !== "weight" && now.op !== "input") || sliced === undefined) return undefined;
  const { shape } = now;
  const first = sizeOf(shape.slice(0, at)) === 1;
  if (!first && sizeOf(shape.slice(at + 1)) !== 1) return undefined;
  const [whole, width] = [now, shape[at]!];
  const rest = shape.filter((_, i) => i !== at);
  return {
    sliced,
    make(x, alpha) {
      const matrix = reshape(whole, first ? [width, -1] : [-1, width]);
      const product = matmul(x, matrix, { transB: !first, alpha });
      return steps.reduce((y, step) => step(y), reshape(product, [x.shape[0]!, ...rest]));
    },
  };
}

/** Where the axis was before the step; undefined where the step does not leave it alone. */
function axisBefore(step: Value, at: number): number | undefined {
  const from = step.inputs[0]!.shape;
  if (step.op === "transpose") return (step.attrs.perm as readonly number[])[at];
  if (step.op === "slice") {
    const steps = step.attrs.steps as readonly number[];
    return from[at] === step.shape[at] && steps[at] === 1 ? at : undefined;
  }
  const ahead = sizeOf(step.shape.slice(0, at));
  const found = from.findIndex(
    (n, i) => n === step.shape[at] && sizeOf(from.slice(0, i)) === ahead,
  );
  return found < 0 ? undefined : found;
}

/** The step on [rows, …the other axes]. */
function withoutAxis(step: Value, { at, before }: { at: number; before: number }): Step {
  const { shape, attrs } = step;
  const rest = shape.filter((_, i) => i !== at);
  if (step.op === "reshape") return (x) => reshape(x, [x.shape[0]!, ...rest]);
  if (step.op === "transpose") {
    const perm = (attrs.perm as readonly number[]).filter((axis) => axis !== before);
    return (x) => transpose(x, [0, ...perm.map((axis) => (axis > before ? axis : axis + 1))]);
  }
  const { starts, ends, steps } = attrs as Record<string, readonly number[]>;
  return (x) => {
    let out = x;
    let axis = 0;
    for (let i = 0; i < shape.length; i++) {
      if (i === at) continue;
      axis += 1;
      out = slice(out, { axis, start: starts![i]!, end: ends![i]!, step: steps![i]! });
    }
    return out;
  };
}
