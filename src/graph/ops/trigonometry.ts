// Angles and their inverses, round and hyperbolic, place by place.

import type { Value } from "../value.ts";
import { tanh } from "./activation.ts";
import { add, div, mul, neg, rsqrt, square, sub } from "./arithmetic.ts";
import { defineUnary } from "./pointwise.ts";

export const sin: (x: Value) => Value = defineUnary({
  name: "sin",
  onnx: "Sin",
  of: Math.sin,
  vjp: (grad, x) => mul(grad, cos(x)),
});

export const cos: (x: Value) => Value = defineUnary({
  name: "cos",
  onnx: "Cos",
  of: Math.cos,
  vjp: (grad, x) => neg(mul(grad, sin(x))),
});

export const tan = defineUnary({
  name: "tan",
  onnx: "Tan",
  of: Math.tan,
  vjp: (grad, _, out) => mul(grad, add(square(out), 1)),
});

export const asin = defineUnary({
  name: "asin",
  onnx: "Asin",
  of: Math.asin,
  vjp: (grad, x) => mul(grad, rsqrt(sub(1, square(x)))),
});

export const acos = defineUnary({
  name: "acos",
  onnx: "Acos",
  of: Math.acos,
  vjp: (grad, x) => neg(mul(grad, rsqrt(sub(1, square(x))))),
});

export const atan = defineUnary({
  name: "atan",
  onnx: "Atan",
  of: Math.atan,
  vjp: (grad, x) => div(grad, add(square(x), 1)),
});

export const sinh: (x: Value) => Value = defineUnary({
  name: "sinh",
  onnx: "Sinh",
  of: Math.sinh,
  vjp: (grad, x) => mul(grad, cosh(x)),
});

export const cosh: (x: Value) => Value = defineUnary({
  name: "cosh",
  onnx: "Cosh",
  of: Math.cosh,
  vjp: (grad, x) => mul(grad, sinh(x)),
});

export const asinh = defineUnary({
  name: "asinh",
  onnx: "Asinh",
  of: Math.asinh,
  vjp: (grad, x) => mul(grad, rsqrt(add(square(x), 1))),
});

export const acosh = defineUnary({
  name: "acosh",
  onnx: "Acosh",
  of: Math.acosh,
  vjp: (grad, x) => mul(grad, rsqrt(sub(square(x), 1))),
});

export const atanh = defineUnary({
  name: "atanh",
  onnx: "Atanh",
  of: Math.atanh,
  vjp: (grad, x) => div(grad, sub(1, square(x))),
});

/** log(1 + eˣ). */
export const softplus = defineUnary({
  name: "softplus",
  onnx: "Softplus",
  of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  // The logistic function, from tanh, which does not overflow.
  vjp: (grad, x) => mul(grad, add(mul(tanh(mul(x, 0.5)), 0.5), 0.5)),
});
