// What ops that work place by place share: operands, their checks, and how an entry is made.
import { check } from "../../base/errors.ts";
import { type Cells, defineOp, type Emitter, type Op } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { isFloat, scalar, showSpecs, type Value } from "../value.ts";
import { broadcastCells, sumTo } from "./broadcast.ts";

/** Where a value is expected, a number is a constant without axes. */
export type Operand = Value | number;

/** Two operands of one dtype; a number takes the dtype of the other. */
export function operands(op: string, a: Operand, b: Operand): [Value, Value] {
  const like = typeof a === "number" ? (typeof b === "number" ? "float32" : b.dtype) : a.dtype;
  const left = typeof a === "number" ? scalar(a, like) : a;
  const right = typeof b === "number" ? scalar(b, like) : b;
  check(left.dtype === right.dtype, "dtype/mismatch", `${op}: the operands differ in dtype`, {
    where: op,
    got: showSpecs([left, right]),
    wanted: "one dtype; see cast",
  });
  return [left, right];
}

export interface Unary {
  name: string;
  /** The ONNX operator, or the nodes that stand for it. */
  onnx: string | ((to: Emitter, x: string) => string);
  of: (x: number) => number;
  /** Integers may be given, too. */
  whole?: true;
  /** Any dtype may be given. */
  any?: true;
  vjp: (grad: Value, x: Value, out: Value) => Value | undefined;
}

export function defineUnary({ name, onnx, of, whole, any, vjp }: Unary): (x: Value) => Value {
  const make = defineOp<object>({
    name,
    infer: (inputs) => {
      if (!any) (whole ? checkNumbers : checkFloats)(name, inputs);
      return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
    },
    vjp: (grad, node) => [vjp(grad, node.inputs[0]!, node as Value)],
    lower: (to, _, [x]) => (typeof onnx === "string" ? to.node(onnx, [x!]) : onnx(to, x!)),
    reference: ([x]) => x!.map(of),
  });
  return (x) => make([x], {});
}

export interface Binary {
  name: string;
  onnx: string;
  of: (a: number, b: number) => number;
  /** Integers may be given, too. */
  whole?: true;
  vjp: (
    grad: Value,
    a: Value,
    b: Value,
    out: Value,
  ) => readonly [Value | undefined, Value | undefined];
}

export function defineBinary({
  name,
  onnx,
  of,
  whole,
  vjp,
}: Binary): (a: Operand, b: Operand) => Value {
  const make = defineOp<object>({
    name,
    infer: (inputs) => {
      (whole ? checkNumbers : checkFloats)(name, inputs);
      return { shape: broadcastShapes(name, inputs), dtype: inputs[0]!.dtype };
    },
    vjp: (grad, node) => {
      const [a, b] = node.inputs as [Value, Value];
      const [toA, toB] = vjp(grad, a, b, node as Value);
      return [toA && sumTo(toA, a.shape), toB && sumTo(toB, b.shape)];
    },
    lower: (to, _, inputs) => to.node(onnx, inputs),
    reference: zip(of),
  });
  return (a, b) => make(operands(name, a, b), {});
}

/** A comparison or a boolean operation: the result is a condition, and has no gradient. */
export function defineCondition(
  name: string,
  onnx: string,
  of: (a: number, b: number) => boolean,
  checkInputs: (op: string, inputs: readonly Value[]) => void = () => {},
): (a: Operand, b: Operand) => Value {
  const make = defineOp<object>({
    name,
    infer: (inputs) => {
      checkInputs(name, inputs);
      return { shape: broadcastShapes(name, inputs), dtype: "bool" };
    },
    lower: (to, _, inputs) => to.node(onnx, inputs),
    reference: zip((a, b) => Number(of(a, b))),
  });
  return (a, b) => make(operands(name, a, b), {});
}

export function checkNumbers(op: string, inputs: readonly Value[]): void {
  check(
    inputs.every((x) => x.dtype !== "bool"),
    "dtype/number",
    `${op}: a condition is not a number`,
    { where: op, got: showSpecs(inputs), wanted: "a float or integer dtype; see cast" },
  );
}

function checkFloats(op: string, inputs: readonly Value[]): void {
  check(
    inputs.every((x) => isFloat(x.dtype)),
    "dtype/float",
    `${op}: not a float`,
    { where: op, got: showSpecs(inputs), wanted: "float32 or float64; see cast" },
  );
}

export function checkBool(op: string, inputs: readonly Value[]): void {
  check(
    inputs.every((x) => x.dtype === "bool"),
    "dtype/bool",
    `${op}: a number is not a condition`,
    { where: op, got: showSpecs(inputs), wanted: "bool; compare, or cast" },
  );
}

function zip(of: (a: number, b: number) => number): Op<object>["reference"] {
  return (cells: readonly Cells[], node) => {
    const [a, b] = cells.map((x, i) => broadcastCells(x, node.inputs[i]!.shape, node.shape));
    return a!.map((left, i) => of(left, b![i]!));
  };
}
