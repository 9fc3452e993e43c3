// Operators that work place by place: arithmetic, non-linearities, comparisons, choice, types.

import { dtypeOfElement, elementName } from "../../formats/onnx/tensor.ts";
import * as g from "../../graph/index.ts";
import { bits } from "../../graph/ops/rounding.ts";
import { broadcastShapes } from "../../graph/shape.ts";
import { isFloat, type Value } from "../../graph/value.ts";
import type { DType } from "../../tensor/tensor.ts";
import { arg, type Call, flag, int, numberOf, type OnnxOp, real, text } from "./call.ts";
import {
  binary,
  entry,
  everything,
  f32only,
  filled,
  floats,
  integers,
  numeric,
  range,
  signed,
  unary,
} from "./entries.ts";

const halves = new Set(["float16", "bfloat16"]);

/** What a half is computed in. */
export function widened(dtype: DType): DType {
  return halves.has(dtype) ? "float32" : dtype;
}

function dtypeFrom(call: Call, type: number): DType {
  const dtype = dtypeOfElement(type);
  return dtype === undefined ? call.refuse(`a cast to ${elementName(type)}`) : widened(dtype);
}

/** Old broadcasting: the axes of `b` stand at `axis` of `a`. */
function oldBroadcast(a: Value, b: Value, call: Call): Value {
  if (call.opset >= 7 || !flag(call, "broadcast")) return b;
  const axis = int(call, "axis", a.shape.length - b.shape.length);
  return g.reshape(b, [...b.shape, ...range(a.shape.length - axis - b.shape.length).map(() => 1)]);
}

function arithmetic(make: (a: Value, b: Value) => Value) {
  return (a: Value, b: Value, call: Call) => make(a, oldBroadcast(a, b, call));
}

const divide = (a: Value, b: Value) => (isFloat(a.dtype) ? g.div(a, b) : g.quotient(a, b));

function power(a: Value, b: Value): Value {
  if (isFloat(a.dtype)) return g.pow(a, g.cast(b, a.dtype));
  return g.cast(g.pow(g.cast(a, "float64"), g.cast(b, "float64")), a.dtype);
}

function modulo(a: Value, b: Value, call: Call): Value {
  if (flag(call, "fmod")) return g.remainder(a, b);
  if (isFloat(a.dtype)) return g.sub(a, g.mul(b, g.floor(g.div(a, b))));
  return g.remainder(a, b, { like: "divisor" });
}

function fold(make: (a: Value, b: Value) => Value) {
  return (call: Call) => {
    const [first, ...rest] = call.inputs.filter((x) => x !== undefined);
    return rest.reduce(make, first ?? call.refuse("there is no input"));
  };
}

function average(call: Call): Value {
  const all = call.inputs.filter((x) => x !== undefined);
  const shape = broadcastShapes("Mean", all);
  return g.mul(g.expand(fold(g.add)(call), shape), 1 / all.length);
}

function clip(call: Call): Value {
  const x = arg(call, 0);
  const bound = (i: number, name: string): Value | undefined => {
    if (call.attributes.has(name)) return g.scalar(real(call, name, 0), x.dtype);
    return call.inputs[i];
  };
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  // The upper bound is the last: it holds where the bounds are crossed.
  const above = low === undefined ? x : g.maximum(x, low);
  return high === undefined ? above : g.minimum(above, high);
}

const not = g.not;
const xor = (a: Value, b: Value) => not(g.equal(a, b));
const positive = (x: Value) => g.greater(x, 0);

function elu(x: Value, alpha: number, gamma = 1): Value {
  const below = g.mul(g.sub(g.exp(g.minimum(x, 0)), 1), alpha);
  return g.mul(g.where(positive(x), x, below), gamma);
}

function selu(x: Value, call: Call): Value {
  const alpha = real(call, "alpha", 1.6732631921768188);
  return elu(x, alpha, real(call, "gamma", 1.0507010221481323));
}

function celu(x: Value, call: Call): Value {
  const alpha = real(call, "alpha", 1);
  const below = g.mul(g.sub(g.exp(g.div(g.minimum(x, 0), alpha)), 1), alpha);
  return g.add(g.maximum(x, 0), g.minimum(below, 0));
}

function gelu(x: Value, call: Call): Value {
  return text(call, "approximate", "none") === "tanh" ? g.geluTanh(x) : g.gelu(x);
}

function hardSigmoid(x: Value, alpha: number, beta: number): Value {
  return g.clip(g.add(g.mul(x, alpha), beta), { min: 0, max: 1 });
}

function shrink(x: Value, call: Call): Value {
  const [bias, lambda] = [real(call, "bias", 0), real(call, "lambd", 0.5)];
  const up = g.where(g.less(x, -lambda), g.add(x, bias), 0);
  return g.where(g.greater(x, lambda), g.sub(x, bias), up);
}

function swish(x: Value, call: Call): Value {
  return g.mul(x, g.sigmoid(g.mul(x, real(call, "alpha", 1))));
}

function leaky(x: Value, alpha: Value | number): Value {
  return g.where(g.less(x, 0), g.mul(x, alpha), x);
}

function prelu(x: Value, slope: Value): Value {
  // Before broadcasting became numpy's: one slope a channel.
  const channels =
    slope.shape.length === 1 && x.shape.length > 2 && slope.shape[0] !== x.shape.at(-1);
  const wide = channels ? g.reshape(slope, [-1, ...x.shape.slice(2).map(() => 1)]) : slope;
  return leaky(x, wide);
}

function isInf(x: Value, call: Call): Value {
  const up = g.equal(x, Number.POSITIVE_INFINITY);
  const down = g.equal(x, Number.NEGATIVE_INFINITY);
  const [wantUp, wantDown] = [
    flag(call, "detect_positive", true),
    flag(call, "detect_negative", true),
  ];
  if (wantUp && wantDown) return g.or(up, down);
  if (!wantUp && !wantDown) return g.and(up, down);
  return wantUp ? up : down;
}

function cast(x: Value, to: DType): Value {
  return g.cast(x, to);
}

function dropout(call: Call): readonly (Value | undefined)[] {
  const x = arg(call, 0);
  const training = call.inputs[2] !== undefined && numberOf(call, 2) === 1;
  const ratio = call.opset >= 12 ? (numberOf(call, 1) ?? 0.5) : real(call, "ratio", 0.5);
  if ((training && ratio !== 0) || (call.opset < 7 && !flag(call, "is_test")))
    call.refuse("dropout that drops at random");
  return [x, filled("bool", x.shape, () => 1)];
}

function shift(a: Value, b: Value, call: Call): Value {
  const left = text(call, "direction", "") === "LEFT";
  const by = g.pow(g.scalar(2, "float64"), g.cast(b, "float64"));
  const wide = g.cast(a, "float64");
  return g.cast(left ? g.mul(wide, by) : g.floor(g.div(wide, by)), a.dtype);
}

export const pointwise: readonly OnnxOp[] = [
  binary("Add", numeric, arithmetic(g.add)),
  binary("Sub", numeric, arithmetic(g.sub)),
  binary("Mul", numeric, arithmetic(g.mul)),
  binary("Div", numeric, arithmetic(divide)),
  binary("Pow", signed, arithmetic(power)),
  binary("Mod", numeric, modulo, { since: 10 }),
  entry("Max", numeric, fold(g.maximum)),
  entry("Min", numeric, fold(g.minimum)),
  entry("Sum", floats, fold(g.add)),
  entry("Mean", floats, average),
  entry("Clip", signed, clip),
  unary("Abs", numeric, (x) => (x.dtype === "uint8" ? x : g.abs(x))),
  unary("Neg", signed, g.neg),
  unary("Sign", signed, g.sign),
  unary("Floor", floats, g.floor),
  unary("Ceil", floats, g.ceil),
  unary("Round", floats, g.round),
  unary("Reciprocal", floats, (x) => g.div(1, x)),
  unary("Sqrt", floats, g.sqrt),
  unary("Exp", floats, g.exp),
  unary("Log", floats, g.log),
  unary("Sin", f32only, g.sin),
  unary("Cos", f32only, g.cos),
  unary("Tan", f32only, g.tan),
  unary("Asin", f32only, g.asin),
  unary("Acos", f32only, g.acos),
  unary("Atan", f32only, g.atan),
  unary("Sinh", f32only, g.sinh),
  unary("Cosh", f32only, g.cosh),
  unary("Asinh", f32only, g.asinh),
  unary("Acosh", f32only, g.acosh),
  unary("Atanh", f32only, g.atanh),
  unary("Erf", f32only, g.erf),
  unary("Relu", [...floats, "int32"], (x) => (isFloat(x.dtype) ? g.relu(x) : g.maximum(x, 0))),
  unary("Sigmoid", floats, g.sigmoid),
  unary("Tanh", floats, g.tanh),
  unary("Softplus", f32only, g.softplus),
  unary("Softsign", floats, (x) => g.div(x, g.add(g.abs(x), 1))),
  unary("Elu", floats, (x, call) => elu(x, real(call, "alpha", 1))),
  unary("Selu", floats, selu),
  unary("Celu", floats, celu),
  unary("Gelu", f32only, gelu),
  unary("Mish", f32only, (x) => g.mul(x, g.tanh(g.softplus(x)))),
  // ONNX Runtime fuses it into a kernel that it has for float32 only.
  unary("Swish", f32only, swish),
  unary("LeakyRelu", floats, (x, call) => leaky(x, real(call, "alpha", 0.01))),
  unary("ThresholdedRelu", floats, (x, call) =>
    g.where(g.greater(x, real(call, "alpha", 1)), x, 0),
  ),
  binary("PRelu", floats, prelu),
  unary("HardSigmoid", floats, (x, call) =>
    hardSigmoid(x, real(call, "alpha", 0.2), real(call, "beta", 0.5)),
  ),
  unary("HardSwish", floats, (x) => g.mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  unary("Shrink", floats, shrink),
  binary("Equal", everything, arithmetic(g.equal)),
  binary("Greater", numeric, arithmetic(g.greater)),
  binary("GreaterOrEqual", numeric, g.greaterEqual),
  binary("Less", numeric, arithmetic(g.less)),
  binary("LessOrEqual", numeric, g.lessEqual),
  binary("And", ["bool"], arithmetic(g.and)),
  binary("Or", ["bool"], arithmetic(g.or)),
  binary("Xor", ["bool"], arithmetic(xor)),
  unary("Not", ["bool"], not),
  binary("BitwiseAnd", [...integers, "uint8"], (a, b) => bits("and", a, b)),
  binary("BitwiseOr", [...integers, "uint8"], (a, b) => bits("or", a, b)),
  binary("BitwiseXor", [...integers, "uint8"], (a, b) => bits("xor", a, b)),
  unary("BitwiseNot", [...integers, "uint8"], (x) =>
    x.dtype === "uint8" ? bits("xor", x, 255) : g.sub(-1, x),
  ),
  binary("BitShift", ["uint8"], shift),
  unary("IsNaN", floats, g.isNan),
  unary("IsInf", floats, isInf),
  entry("Where", ["bool"], (call) => g.where(arg(call, 0), arg(call, 1), arg(call, 2))),
  unary("Cast", everything, (x, call) => cast(x, dtypeFrom(call, int(call, "to", 0)))),
  binary("CastLike", everything, (x, likeThis) => cast(x, likeThis.dtype)),
  unary("Identity", everything, (x) => x),
  entry("Dropout", floats, dropout, { limits: "inference only" }),
];
