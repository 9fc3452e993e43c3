// Whole numbers near a number, and what is left: floor, ceil, round, remainders, division of integers.
import { check } from "../../base/errors.ts";
import { type Cells, defineOp } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { abs, div, mul, neg, sign } from "./arithmetic.ts";
import { broadcastCells, sumTo } from "./broadcast.ts";
import { defineUnary, type Operand, operands } from "./pointwise.ts";

/** Steps have no slope. */
const flat = () => undefined;

export const floor = defineUnary({ name: "floor", onnx: "Floor", of: Math.floor, vjp: flat });

export const ceil = defineUnary({ name: "ceil", onnx: "Ceil", of: Math.ceil, vjp: flat });

/** To the nearest whole number; halves to the even one. */
export const round = defineUnary({ name: "round", onnx: "Round", of: toEven, vjp: flat });

/** Towards zero. */
export function truncate(x: Value): Value {
  return mul(sign(x), floor(abs(x)));
}

function toEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

function wholeSpec(op: string, inputs: readonly Value[]) {
  const { dtype } = inputs[0]!;
  check(dtype.startsWith("int") || dtype === "uint8", "dtype/integer", `${op}: not integers`, {
    where: op,
    got: showSpecs(inputs),
    wanted: "an integer dtype; see cast",
  });
  return { shape: broadcastShapes(op, inputs), dtype };
}

type Two = (a: number, b: number) => number;

function spread(cells: readonly Cells[], inputs: readonly Value[], shape: readonly number[]) {
  return cells.map((x, i) => broadcastCells(x, inputs[i]!.shape, shape));
}

const makeQuotient = defineOp<object>({
  name: "quotient",
  infer: (inputs) => wholeSpec("quotient", inputs),
  lower: (to, _, inputs) => to.node("Div", inputs),
  reference: (cells, { inputs, shape }) => {
    const [a, b] = spread(cells, inputs, shape);
    return a!.map((x, i) => Math.trunc(x / b![i]!));
  },
});

/** Integers divided, towards zero. */
export function quotient(a: Operand, b: Operand): Value {
  return makeQuotient(operands("quotient", a, b), {});
}

const makeRemainder = defineOp<{ like: "divisor" | "dividend" }>({
  name: "remainder",
  infer: (inputs, { like }) =>
    like === "dividend"
      ? { shape: broadcastShapes("remainder", inputs), dtype: inputs[0]!.dtype }
      : wholeSpec("remainder", inputs),
  vjp: (grad, { inputs: [a, b] }) => {
    if (!isFloat(a!.dtype)) return [];
    return [sumTo(grad, a!.shape), sumTo(neg(mul(grad, truncate(div(a!, b!)))), b!.shape)];
  },
  lower: (to, { attrs: { like } }, inputs) =>
    to.node("Mod", inputs, { attributes: { fmod: Number(like === "dividend") } }),
  reference: (cells, { inputs, shape, attrs: { like } }) => {
    const [a, b] = spread(cells, inputs, shape);
    const of: Two = like === "dividend" ? (x, y) => x % y : (x, y) => x - y * Math.floor(x / y);
    return a!.map((x, i) => of(x, b![i]!));
  },
});

/** What a division leaves, with the sign of the divisor (integers only) or of the dividend. */
export function remainder(
  a: Operand,
  b: Operand,
  { like = "dividend" }: { like?: "divisor" | "dividend" } = {},
): Value {
  return makeRemainder(operands("remainder", a, b), { like });
}

const bitwise = {
  and: { onnx: "BitwiseAnd", of: (a: bigint, b: bigint) => a & b },
  or: { onnx: "BitwiseOr", of: (a: bigint, b: bigint) => a | b },
  xor: { onnx: "BitwiseXor", of: (a: bigint, b: bigint) => a ^ b },
} as const;

const makeBits = defineOp<{ how: keyof typeof bitwise }>({
  name: "bits",
  infer: (inputs) => wholeSpec("bits", inputs),
  lower: (to, { attrs: { how } }, inputs) => to.node(bitwise[how].onnx, inputs),
  reference: (cells, { inputs, shape, attrs: { how } }) => {
    const [a, b] = spread(cells, inputs, shape);
    const { of } = bitwise[how];
    return a!.map((x, i) => Number(of(BigInt(x), BigInt(b![i]!))));
  },
});

/** Integers, bit by bit. */
export function bits(how: keyof typeof bitwise, a: Operand, b: Operand): Value {
  return makeBits(operands("bits", a, b), { how });
}

const makeIsNaN = defineOp<object>({
  name: "isNan",
  infer: ([x]) => ({ shape: x!.shape, dtype: "bool" }),
  lower: (to, _, inputs) => to.node("IsNaN", inputs),
  reference: ([x]) => x!.map((value) => Number(Number.isNaN(value))),
});

export function isNan(x: Value): Value {
  return makeIsNaN([x], {});
}
