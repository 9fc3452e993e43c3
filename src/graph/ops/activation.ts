// The non-linearities of neural networks, place by place.
import { add, exp, mul, neg, square, sub } from "./arithmetic.ts";
import { cast, greater } from "./logic.ts";
import { defineUnary } from "./pointwise.ts";

export const relu = defineUnary({
  name: "relu",
  onnx: "Relu",
  of: (x) => Math.max(x, 0),
  // The result has the same sign as x where it counts, and is what stays in memory. A product
  // with the mask is twice as fast as a choice in ONNX Runtime.
  vjp: (grad, _, out) => mul(grad, cast(greater(out, 0), out.dtype)),
});

export const sigmoid = defineUnary({
  name: "sigmoid",
  onnx: "Sigmoid",
  of: logistic,
  vjp: (grad, _, out) => mul(grad, mul(out, sub(1, out))),
});

/** x · sigmoid(x). */
export const silu = defineUnary({
  name: "silu",
  onnx: (to, x) =>
    to.node("QuickGelu", [x], { attributes: { alpha: { float: 1 } }, domain: "com.microsoft" }),
  of: (x) => x * logistic(x),
  vjp: (grad, x, out) => {
    const gate = sigmoid(x);
    // σ + xσ(1 − σ) = σ + out·(1 − σ)
    return mul(grad, sub(add(out, gate), mul(out, gate)));
  },
});

export const tanh = defineUnary({
  name: "tanh",
  onnx: "Tanh",
  of: Math.tanh,
  vjp: (grad, _, out) => mul(grad, sub(1, square(out))),
});

export const erf = defineUnary({
  name: "erf",
  onnx: "Erf",
  of: errorFunction,
  vjp: (grad, x) => mul(grad, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
});

/** x · Φ(x), exact; see `geluTanh` for the approximation of GPT-2. */
export const gelu = defineUnary({
  name: "gelu",
  onnx: (to, x) => to.node("Gelu", [x], { domain: "com.microsoft" }),
  of: (x) => (x * (1 + errorFunction(x / Math.SQRT2))) / 2,
  vjp: (grad, x) => {
    const below = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(grad, add(below, mul(x, density)));
  },
});

const c = Math.sqrt(2 / Math.PI);

/** x/2 · (1 + tanh(√(2/π)(x + 0.044715x³))): `gelu_new`, `gelu_pytorch_tanh`. */
export const geluTanh = defineUnary({
  name: "geluTanh",
  onnx: (to, x) => to.node("Gelu", [x], { attributes: { approximate: "tanh" } }),
  of: (x) => (x / 2) * (1 + Math.tanh(c * (x + 0.044715 * x ** 3))),
  // The same as x · σ(y) with y = x (a + b x²), whose slope is σ(y) (1 + (x − out) y'): fewer passes.
  vjp: (grad, x, out) => {
    const [a, b] = [2 * c, 2 * c * 0.044715];
    const x2 = square(x);
    const gate = sigmoid(mul(x, add(mul(x2, b), a)));
    const rise = add(mul(x2, 3 * b), a);
    return mul(grad, mul(gate, add(mul(sub(x, out), rise), 1)));
  },
});

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** erf to 1e-15: series near 0, continued fraction (Lentz) far out. */
function errorFunction(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction)));
}
