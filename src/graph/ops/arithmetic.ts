// One number from one or two, place by place: arithmetic, powers, exponentials, extremes.
import { defineOp } from "../op.ts";
import { broadcastShapes, sameShape } from "../shape.ts";
import { constantNumber, type Value } from "../value.ts";
import { and, greaterEqual, lessEqual, where } from "./logic.ts";
import { checkNumbers, defineBinary, defineUnary, type Operand } from "./pointwise.ts";

const plainAdd = defineBinary({
  name: "add",
  whole: true,
  onnx: "Add",
  of: (a, b) => a + b,
  vjp: (grad) => [grad, grad],
});

export function add(a: Operand, b: Operand): Value {
  return neutral(a, b, 0) ?? neutral(b, a, 0) ?? plainAdd(a, b);
}

const plainSub = defineBinary({
  name: "sub",
  whole: true,
  onnx: "Sub",
  of: (a, b) => a - b,
  vjp: (grad) => [grad, neg(grad)],
});

export function sub(a: Operand, b: Operand): Value {
  return neutral(a, b, 0) ?? plainSub(a, b);
}

const plainMul = defineBinary({
  name: "mul",
  whole: true,
  onnx: "Mul",
  of: (a, b) => a * b,
  vjp: (grad, a, b) => [mul(grad, b), mul(grad, a)],
});

export function mul(a: Operand, b: Operand): Value {
  return neutral(a, b, 1) ?? neutral(b, a, 1) ?? plainMul(a, b);
}

const plainDiv = defineBinary({
  name: "div",
  onnx: "Div",
  of: (a, b) => a / b,
  vjp: (grad, _, b, out) => [div(grad, b), neg(div(mul(grad, out), b))],
});

export function div(a: Operand, b: Operand): Value {
  return neutral(a, b, 1) ?? plainDiv(a, b);
}

/** `a` itself, when the other operand changes neither numbers nor shape. */
function neutral(a: Operand, b: Operand, unit: number): Value | undefined {
  if (typeof a === "number") return undefined;
  if (typeof b === "number") return b === unit ? a : undefined;
  const same = a.dtype === b.dtype && constantNumber(b) === unit;
  return same && sameShape(broadcastShapes("operands", [a, b]), a.shape) ? a : undefined;
}

export const maximum = defineBinary({
  name: "maximum",
  whole: true,
  onnx: "Max",
  of: Math.max,
  vjp: (grad, a, b) => [where(greaterEqual(a, b), grad, 0), where(greaterEqual(a, b), 0, grad)],
});

export const minimum = defineBinary({
  name: "minimum",
  whole: true,
  onnx: "Min",
  of: Math.min,
  vjp: (grad, a, b) => [where(lessEqual(a, b), grad, 0), where(lessEqual(a, b), 0, grad)],
});

/** `a` to the power `b`; the gradient of the exponent wants a positive base. */
export const pow = defineBinary({
  name: "pow",
  onnx: "Pow",
  of: (a, b) => a ** b,
  vjp: (grad, a, b, out) => [
    mul(grad, mul(b, pow(a, sub(b, 1)))),
    constantNumber(b) === undefined ? mul(grad, mul(out, log(a))) : undefined,
  ],
});

export const neg = defineUnary({
  name: "neg",
  whole: true,
  onnx: "Neg",
  of: (x) => -x,
  vjp: (grad) => neg(grad),
});

export const abs = defineUnary({
  name: "abs",
  whole: true,
  onnx: "Abs",
  of: Math.abs,
  vjp: (grad, x) => mul(grad, sign(x)),
});

export const sign = defineUnary({
  name: "sign",
  whole: true,
  onnx: "Sign",
  of: Math.sign,
  vjp: () => undefined,
});

export const square = defineUnary({
  name: "square",
  whole: true,
  onnx: (to, x) => to.node("Mul", [x, x]),
  of: (x) => x * x,
  vjp: (grad, x) => mul(grad, mul(x, 2)),
});

export const exp = defineUnary({
  name: "exp",
  onnx: "Exp",
  of: Math.exp,
  vjp: (grad, _, out) => mul(grad, out),
});

export const log = defineUnary({
  name: "log",
  onnx: "Log",
  of: Math.log,
  vjp: (grad, x) => div(grad, x),
});

export const sqrt = defineUnary({
  name: "sqrt",
  onnx: "Sqrt",
  of: Math.sqrt,
  vjp: (grad, _, out) => div(mul(grad, 0.5), out),
});

/** 1 / √x. */
export const rsqrt = defineUnary({
  name: "rsqrt",
  onnx: (to, x) => to.node("Reciprocal", [to.node("Sqrt", [x])]),
  of: (x) => 1 / Math.sqrt(x),
  vjp: (grad, x, out) => mul(grad, mul(div(out, x), -0.5)),
});

const makeClip = defineOp<{ min: number | undefined; max: number | undefined }>({
  name: "clip",
  infer: (inputs) => {
    checkNumbers("clip", inputs);
    return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
  },
  vjp: (grad, { inputs: [x], attrs: { min, max } }) => {
    const above = min === undefined ? undefined : greaterEqual(x!, min);
    const below = max === undefined ? undefined : lessEqual(x!, max);
    const inside = above && below ? and(above, below) : (above ?? below);
    return [inside ? where(inside, grad, 0) : grad];
  },
  lower: (to, { dtype, attrs: { min, max } }, [x]) => {
    const bound = (at: number | undefined) => (at === undefined ? "" : to.scalar(at, dtype));
    return to.node("Clip", max === undefined ? [x!, bound(min)] : [x!, bound(min), bound(max)]);
  },
  reference: ([x], { attrs: { min = -Infinity, max = Infinity } }) =>
    x!.map((value) => Math.min(Math.max(value, min), max)),
});

/** Limits to [min, max]; the gradient is 0 outside. */
export function clip(x: Value, { min, max }: { min?: number; max?: number }): Value {
  return makeClip([x], { min, max });
}
