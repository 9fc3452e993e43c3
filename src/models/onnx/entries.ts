// How entries of the operator table are written down shortly.
import { check } from "../../base/errors.ts";
import { constant, type Value } from "../../graph/value.ts";
import { type DType, filled as filledData, sizeOf, tensor } from "../../tensor/tensor.ts";
import { arg, type Call, type Domain, type OnnxOp, type Results } from "./call.ts";

/** The newest operator set that the table was read against. */
export const newest = 27;

export const floats = ["float32", "float64"] as const satisfies DType[];
export const integers = ["int32", "int64"] as const satisfies DType[];
export const signed = [...floats, ...integers] as const;
export const numeric = [...signed, "uint8"] as const;
export const everything = [...numeric, "bool"] as const;
export const f32only = ["float32"] as const satisfies DType[];

export interface EntryOptions {
  domain?: Domain;
  since?: number;
  until?: number;
  limits?: string;
}

export function entry(
  op: string,
  types: readonly DType[],
  build: (call: Call) => Results,
  { domain = "", since = 1, until = newest, limits }: EntryOptions = {},
): OnnxOp {
  return { domain, op, versions: [since, until], types, limits, build };
}

/** One value from one. */
export function unary(
  op: string,
  types: readonly DType[],
  make: (x: Value, call: Call) => Value,
  options?: EntryOptions,
): OnnxOp {
  return entry(op, types, (call) => make(arg(call, 0), call), options);
}

export function binary(
  op: string,
  types: readonly DType[],
  make: (a: Value, b: Value, call: Call) => Value,
  options?: EntryOptions,
): OnnxOp {
  return entry(op, types, (call) => make(arg(call, 0), arg(call, 1), call), options);
}

/** Several versions of an operator that are read alike. */
export function microsoft(op: string, build: (call: Call) => Results, limits?: string): OnnxOp {
  return entry(op, f32only, build, { domain: "com.microsoft", limits });
}

/** How much a file of a few bytes may ask us to write out. */
const mostKnown = 2 ** 26;

export function range(n: number): number[] {
  check(n <= mostKnown, "onnx/size", "a list of the model would be too large", {
    got: n,
    wanted: `up to ${mostKnown}`,
  });
  return Array.from({ length: n }, (_, i) => i);
}

/** Whole numbers as a constant, int64. */
export function wholes(
  values: readonly number[],
  shape: readonly number[] = [values.length],
): Value {
  return filled("int64", shape, (i) => values[i]!);
}

/** Numbers as a constant of a dtype. */
export function filled(dtype: DType, shape: readonly number[], of: (i: number) => number): Value {
  const size = sizeOf(shape);
  check(size <= mostKnown, "onnx/size", "a constant of the model would be too large", {
    got: `[${shape.join(", ")}]`,
    wanted: `up to ${mostKnown} elements`,
  });
  return constant(tensor(dtype, shape, filledData(dtype, size, of)));
}
