// Many numbers to one along axes: mean, extremes, their places, and running sums.
import { check } from "../../base/errors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { defineOp } from "../op.ts";
import { aroundAxis, axesOf, axisOf, reducedShape } from "../shape.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { div, mul } from "./arithmetic.ts";
import {
  broadcastReader,
  type ReduceAttrs,
  type ReduceOptions,
  reshape,
  sum,
  sumCells,
  unreduce,
} from "./broadcast.ts";
import { cast, equal } from "./logic.ts";
import { checkNumbers } from "./pointwise.ts";

const makeMean = defineOp<ReduceAttrs>({
  name: "mean",
  infer: ([x], { axes, keepDims }) => {
    check(isFloat(x!.dtype), "dtype/float", "mean: not a float", {
      got: showSpecs([x!]),
      wanted: "float32 or float64",
    });
    return { shape: reducedShape(x!.shape, axes, keepDims), dtype: x!.dtype };
  },
  vjp: (grad, { inputs: [x], attrs: { axes } }) => [
    unreduce(mul(grad, 1 / countOf(x!.shape, axes)), x!, axes),
  ],
  lower: (to, { attrs }, [x]) =>
    to.node("ReduceMean", [x!, to.ints(attrs.axes)], {
      attributes: { keepdims: Number(attrs.keepDims) },
    }),
  reference: ([x], { inputs: [from], attrs: { axes } }) =>
    sumCells(x!, from!.shape, axes).map((total) => total / countOf(from!.shape, axes)),
});

export function mean(x: Value, { axes, keepDims = false }: ReduceOptions = {}): Value {
  const found = axesOf("mean", x, axes);
  if (found.every((axis) => x.shape[axis] === 1))
    return reshape(x, reducedShape(x.shape, found, keepDims));
  return makeMean([x], { axes: found, keepDims });
}

function countOf(shape: readonly number[], axes: readonly number[]): number {
  return axes.reduce((n, axis) => n * shape[axis]!, 1);
}

function defineExtreme(
  name: string,
  onnx: string,
  of: (a: number, b: number) => number,
): (x: Value, options?: ReduceOptions) => Value {
  const make = defineOp<ReduceAttrs>({
    name,
    infer: ([x], { axes, keepDims }) => {
      checkNumbers(name, [x!]);
      check(
        countOf(x!.shape, axes) > 0,
        "shape/empty",
        `${name}: there is nothing to choose from`,
        {
          got: showSpecs([x!]),
          wanted: "axes of at least one place",
        },
      );
      return { shape: reducedShape(x!.shape, axes, keepDims), dtype: x!.dtype };
    },
    // Equal extremes share the gradient equally.
    vjp: (grad, node) => {
      const { axes } = node.attrs;
      const x = node.inputs[0]!;
      const kept = reducedShape(x.shape, axes, true);
      const held = cast(equal(x, reshape(node as Value, kept)), x.dtype);
      const share = div(reshape(grad, kept), sum(held, { axes, keepDims: true }));
      return [mul(held, share)];
    },
    lower: (to, { attrs }, [x]) =>
      to.node(onnx, [x!, to.ints(attrs.axes)], {
        attributes: { keepdims: Number(attrs.keepDims) },
      }),
    reference: ([x], { inputs: [from], attrs: { axes } }) => {
      const kept = reducedShape(from!.shape, axes, true);
      const write = broadcastReader(kept, from!.shape);
      const out = new Float64Array(sizeOf(kept)).fill(Number.NaN);
      for (let i = 0; i < x!.length; i++) {
        const at = write(i);
        out[at] = Number.isNaN(out[at]!) ? x![i]! : of(out[at]!, x![i]!);
      }
      return out;
    },
  });
  return (x, { axes, keepDims = false } = {}) => {
    const found = axesOf(name, x, axes);
    if (found.every((axis) => x.shape[axis] === 1))
      return reshape(x, reducedShape(x.shape, found, keepDims));
    return make([x], { axes: found, keepDims });
  };
}

export const max = defineExtreme("max", "ReduceMax", Math.max);
export const min = defineExtreme("min", "ReduceMin", Math.min);

interface AxisAttrs {
  axis: number;
  keepDims: boolean;
}

const makeArgmax = defineOp<AxisAttrs>({
  name: "argmax",
  infer: ([x], { axis, keepDims }) => {
    checkNumbers("argmax", [x!]);
    return { shape: reducedShape(x!.shape, [axis], keepDims), dtype: "int32" };
  },
  lower: (to, { attrs: { axis, keepDims } }, [x]) => {
    const found = to.node("ArgMax", [x!], { attributes: { axis, keepdims: Number(keepDims) } });
    return to.node("Cast", [found], { attributes: { to: 6 } });
  },
  reference: ([x], { inputs: [from], shape, attrs: { axis } }) => {
    const [outer, n, inner] = aroundAxis(from!.shape, axis);
    const out = new Float64Array(sizeOf(shape));
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const at = (j: number) => x![(o * n + j) * inner + i]!;
        let best = 0;
        for (let j = 1; j < n; j++) if (at(j) > at(best)) best = j;
        out[o * inner + i] = best;
      }
    return out;
  },
});

/** The first place of the maximum, int32. */
export function argmax(
  x: Value,
  { axis = -1, keepDims = false }: { axis?: number; keepDims?: boolean } = {},
): Value {
  return makeArgmax([x], { axis: axisOf("argmax", x, axis), keepDims });
}

interface CumsumAttrs {
  axis: number;
  exclusive: boolean;
  reverse: boolean;
}

const makeCumsum = defineOp<CumsumAttrs>({
  name: "cumsum",
  infer: ([x]) => {
    checkNumbers("cumsum", [x!]);
    return { shape: x!.shape, dtype: x!.dtype };
  },
  vjp: (grad, { attrs }) => [cumsum(grad, { ...attrs, reverse: !attrs.reverse })],
  lower: (to, { attrs: { axis, exclusive, reverse } }, [x]) =>
    to.node("CumSum", [x!, to.scalar(axis, "int32")], {
      attributes: { exclusive: Number(exclusive), reverse: Number(reverse) },
    }),
  reference: ([x], { shape, attrs: { axis, exclusive, reverse } }) => {
    const [outer, n, inner] = aroundAxis(shape, axis);
    const out = new Float64Array(x!.length);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        let total = 0;
        for (let j = 0; j < n; j++) {
          const at = (o * n + (reverse ? n - 1 - j : j)) * inner + i;
          out[at] = exclusive ? total : total + x![at]!;
          total += x![at]!;
        }
      }
    return out;
  },
});

/** Running sums along an axis; `exclusive` leaves each element out of its own. */
export function cumsum(
  x: Value,
  { axis = -1, exclusive = false, reverse = false }: Partial<CumsumAttrs> = {},
): Value {
  return makeCumsum([x], { axis: axisOf("cumsum", x, axis), exclusive, reverse });
}
