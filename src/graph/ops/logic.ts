// Which elements: comparisons, boolean algebra, choice, and change of dtype.
import { onnxTypes } from "../../formats/onnx/model.ts";
import type { DType } from "../../tensor/tensor.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { constantNumber, isFloat, type Value } from "../value.ts";
import { broadcastCells, sumTo } from "./broadcast.ts";
import { checkBool, defineCondition, type Operand, operands } from "./pointwise.ts";

export const equal = defineCondition("equal", "Equal", (a, b) => a === b);
export const less = defineCondition("less", "Less", (a, b) => a < b);
export const lessEqual = defineCondition("lessEqual", "LessOrEqual", (a, b) => a <= b);
export const greater = defineCondition("greater", "Greater", (a, b) => a > b);
export const greaterEqual = defineCondition("greaterEqual", "GreaterOrEqual", (a, b) => a >= b);
export const and = defineCondition("and", "And", (a, b) => a * b === 1, checkBool);
export const or = defineCondition("or", "Or", (a, b) => a + b > 0, checkBool);

const makeNot = defineOp<object>({
  name: "not",
  infer: (inputs) => {
    checkBool("not", inputs);
    return { shape: inputs[0]!.shape, dtype: "bool" };
  },
  lower: (to, _, inputs) => to.node("Not", inputs),
  reference: ([x]) => x!.map((held) => 1 - held),
});

export function not(x: Value): Value {
  return makeNot([x], {});
}

const makeWhere = defineOp<object>({
  name: "where",
  infer: (inputs) => {
    checkBool("where", inputs.slice(0, 1));
    return { shape: broadcastShapes("where", inputs), dtype: inputs[1]!.dtype };
  },
  vjp: (grad, { inputs: [condition, a, b] }) => [
    undefined,
    constantNumber(a!) === undefined ? sumTo(where(condition!, grad, 0), a!.shape) : undefined,
    constantNumber(b!) === undefined ? sumTo(where(condition!, 0, grad), b!.shape) : undefined,
  ],
  lower: (to, _, inputs) => to.node("Where", inputs),
  reference: (cells, node) => {
    const [c, a, b] = cells.map((x, i) => broadcastCells(x, node.inputs[i]!.shape, node.shape));
    return c!.map((held, i) => (held ? a![i]! : b![i]!));
  },
});

/** `a` where the condition holds, `b` elsewhere. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  return makeWhere([condition, ...operands("where", a, b)], {});
}

const makeCast = defineOp<{ dtype: DType }>({
  name: "cast",
  infer: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  vjp: (grad, { inputs: [x], dtype }) => [
    isFloat(x!.dtype) && isFloat(dtype) ? cast(grad, x!.dtype) : undefined,
  ],
  lower: (to, node, inputs) =>
    to.node("Cast", inputs, { attributes: { to: onnxTypes[node.dtype] } }),
  reference: ([x], { dtype }) => {
    if (dtype === "bool") return x!.map((value) => Number(value !== 0));
    return isFloat(dtype) || dtype.endsWith("float16") ? x! : x!.map(Math.trunc);
  },
});

/** Floats lose their fraction on the way to integers; anything but 0 is true. */
export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : makeCast([x], { dtype });
}
