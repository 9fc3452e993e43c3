// Operators that make many numbers one: sums, norms, extremes, softmax, running sums.
import { fromCells } from "../../graph/cells.ts";
import * as g from "../../graph/index.ts";
import { reducedShape } from "../../graph/shape.ts";
import { isFloat, type Value } from "../../graph/value.ts";
import { arg, axesFrom, axisIn, type Call, flag, int, numberOf, type OnnxOp } from "./call.ts";
import { entry, floats, range, signed, unary } from "./entries.ts";
import { overTail, product } from "./pieces.ts";

interface Reduce {
  axes: readonly number[];
  keepDims: boolean;
}

type Reducer = (x: Value, how: Reduce) => Value;

function reduction(make: Reducer) {
  return (x: Value, call: Call): Value => {
    const given = axesFrom(call, 1) ?? [];
    if (given.length === 0 && flag(call, "noop_with_empty_axes"))
      return make(x, { axes: [], keepDims: true });
    const rank = x.shape.length;
    const axes = given.length === 0 ? range(rank) : given.map((axis) => axisIn(call, rank, axis));
    return make(x, { axes, keepDims: flag(call, "keepdims", true) });
  };
}

const sumSquares: Reducer = (x, how) => g.sum(g.square(x), how);

const mean: Reducer = (x, how) => {
  if (isFloat(x.dtype)) return g.mean(x, how);
  const count = how.axes.reduce((n, axis) => n * x.shape[axis]!, 1);
  return g.quotient(g.sum(x, how), count);
};

const root = (x: Value) =>
  isFloat(x.dtype) ? g.sqrt(x) : g.cast(g.sqrt(g.cast(x, "float64")), x.dtype);

/** log Σ eˣ, without overflow; the maximum is a constant for the gradient's value. */
const logSumExp: Reducer = (x, { axes, keepDims }) => {
  if (axes.length === 0) return x;
  if (axes.some((axis) => x.shape[axis] === 0))
    return overNothing(x, { axes, keepDims }, Number.NEGATIVE_INFINITY);
  const top = g.max(x, { axes, keepDims: true });
  // Where all are −∞ nothing is subtracted.
  const base = g.where(g.equal(top, Number.NEGATIVE_INFINITY), 0, top);
  const total = g.add(g.log(g.sum(g.exp(g.sub(x, base)), { axes, keepDims: true })), base);
  return keepDims ? total : g.squeeze(total, axes);
};

/** The least and the largest of each type: what a maximum or minimum over nothing is. */
const ends: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  bool: [0, 1],
};

function extreme(make: typeof g.max, end: 0 | 1): Reducer {
  return (x, how) => {
    if (how.axes.some((axis) => x.shape[axis] === 0)) {
      const endless = end === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      return overNothing(x, how, ends[x.dtype]?.[end] ?? endless);
    }
    if (x.dtype === "bool") return g.cast(make(g.cast(x, "int32"), how), "bool");
    return make(x, how);
  };
}

/** A reduction over axes without places. */
function overNothing(x: Value, { axes, keepDims }: Reduce, result: number): Value {
  const one = g.constant(fromCells(x.dtype, [], Float64Array.of(result)));
  return g.expand(one, reducedShape(x.shape, axes, keepDims));
}

function soft(make: (x: Value, options: { axis: number }) => Value) {
  return (x: Value, call: Call): Value => {
    if (call.opset >= 13) return make(x, { axis: int(call, "axis", -1) });
    return overTail(x, int(call, "axis", 1), (rows) => make(rows, { axis: 1 }));
  };
}

/** 1 at the first maximum. */
function hardmax(x: Value, { axis }: { axis: number }): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const hot = g.oneHot(g.argmax(x, { axis: at }), x.shape[at]!, { dtype: x.dtype });
  const last = x.shape.length - 1;
  return g.transpose(
    hot,
    range(last + 1).map((i) => (i === at ? last : i < at ? i : i - 1)),
  );
}

function cumsum(call: Call): Value {
  const x = arg(call, 0);
  return g.cumsum(x, {
    axis: numberOf(call, 1)!,
    exclusive: flag(call, "exclusive"),
    reverse: flag(call, "reverse"),
  });
}

/** x / ‖x‖ along an axis; where the norm is 0 the result is 0. */
function lpNormalization(x: Value, call: Call): Value {
  const how = { axes: axisIn(call, x.shape.length, int(call, "axis", -1)), keepDims: true };
  const norm = int(call, "p", 2) === 1 ? g.sum(g.abs(x), how) : g.sqrt(g.sum(g.square(x), how));
  const none = g.equal(norm, 0);
  return g.where(none, 0, g.div(x, g.where(none, 1, norm)));
}

function meanVariance(x: Value, call: Call): Value {
  const axes = axesFrom(call, 9) ?? [0, 2, 3];
  const off = g.sub(x, g.mean(x, { axes, keepDims: true }));
  const scale = g.sqrt(g.mean(g.square(off), { axes, keepDims: true }));
  return g.div(off, g.add(scale, 1e-9));
}

export const reductions: readonly OnnxOp[] = [
  unary("ReduceSum", signed, reduction(g.sum)),
  unary("ReduceMean", signed, reduction(mean)),
  unary("ReduceMax", [...signed, "bool"], reduction(extreme(g.max, 0))),
  unary("ReduceMin", [...signed, "bool"], reduction(extreme(g.min, 1))),
  unary(
    "ReduceProd",
    signed,
    reduction((x, { axes, keepDims }) => {
      if (axes.some((axis) => x.shape[axis] === 0)) return overNothing(x, { axes, keepDims }, 1);
      return product(x, axes, keepDims);
    }),
  ),
  unary(
    "ReduceL1",
    signed,
    reduction((x, how) => g.sum(g.abs(x), how)),
  ),
  unary(
    "ReduceL2",
    signed,
    reduction((x, how) => root(sumSquares(x, how))),
  ),
  unary("ReduceSumSquare", signed, reduction(sumSquares)),
  unary(
    "ReduceLogSum",
    floats,
    reduction((x, how) => g.log(g.sum(x, how))),
  ),
  unary("ReduceLogSumExp", floats, reduction(logSumExp)),
  unary("Softmax", floats, soft(g.softmax)),
  unary("LogSoftmax", floats, soft(g.logSoftmax)),
  unary("Hardmax", floats, soft(hardmax)),
  entry("CumSum", signed, cumsum),
  unary("LpNormalization", floats, lpNormalization),
  unary("MeanVarianceNormalization", floats, meanVariance),
];
