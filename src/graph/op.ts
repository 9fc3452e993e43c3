// What an op is: name, shape rule, gradient, ONNX lowering and slow reference, in one entry of one table.
import { check } from "../base/errors.ts";
import type { Attribute } from "../formats/onnx/model.ts";
import type { TensorProto } from "../formats/onnx/onnx_pb.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";
import { newValue, type Value } from "./value.ts";

/** Numbers of the reference, whatever the dtype: integers are exact up to 2⁵³. */
export type Cells = Float64Array;

export interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A value whose attributes are known. */
export type Node<A> = Omit<Value, "attrs"> & { readonly attrs: Readonly<A> };

/** What a lowering writes to. Names are those of ONNX values. */
export interface Emitter {
  /** Adds a node; returns the name of its first output. */
  node(op: string, inputs: readonly string[], options?: EmitOptions): string;
  /** Adds a node with several outputs. */
  nodes(op: string, inputs: readonly string[], outputs: number, options?: EmitOptions): string[];
  /** An initializer of a type that no value has, as it was read. */
  raw(tensor: TensorProto): string;
  /** Asks for an operator set of at least that version. */
  opset(domain: string, version: number): void;
  /** An initializer; equal ones are kept once. */
  constant(tensor: Tensor): string;
  /** An int64 vector, as shapes and axes are written. */
  ints(values: readonly number[]): string;
  scalar(x: number, dtype: DType): string;
  /** The result of one of two branches; only that one is computed. Both have the spec. */
  choose(
    condition: string,
    spec: Spec,
    branches: { yes: (to: Emitter) => string; no: (to: Emitter) => string },
  ): string;
  /** What several lowerings need is made once: the first `make` for `key` counts. */
  shared<T>(key: string, make: () => T): T;
}

export interface EmitOptions {
  attributes?: Readonly<Record<string, Attribute>>;
  /** ONNX Runtime's own operators are in "com.microsoft". */
  domain?: string;
  /** Which outputs are left out: their name is empty. */
  absent?: readonly number[];
}

export interface Op<A = Record<string, unknown>> {
  readonly name: string;
  /** The shape rule: throws `shape/…` or `dtype/…` with all operands in the text. */
  infer(inputs: readonly Value[], attrs: A): Spec;
  /** Gradients of the inputs from the gradient of the result; undefined where there is none. */
  vjp?(grad: Value, node: Node<A>): readonly (Value | undefined)[];
  /** Writes ONNX nodes for `node`; returns the name of the result. */
  lower(to: Emitter, node: Node<A>, inputs: readonly string[]): string;
  /** Plain loops in float64. */
  reference(inputs: readonly Cells[], node: Node<A>): Cells;
}

const table = new Map<string, Op>();

/** Makes values of one op. */
export type Maker<A> = (inputs: readonly Value[], attrs: A) => Value;

/** Puts an op into the table. */
export function defineOp<A extends object>(op: Op<A>): Maker<A> {
  check(!table.has(op.name), "op/twice", `the op ${op.name} is defined twice`);
  table.set(op.name, op as unknown as Op);
  return (inputs, attrs) => {
    const { shape, dtype } = op.infer(inputs, attrs);
    check(shape.every(isSize), "shape/static", `${op.name}: sizes are whole numbers`, {
      got: `[${shape.join(", ")}]`,
      wanted: "non-negative integers",
    });
    return newValue({ op: op.name, inputs, attrs: attrs as Value["attrs"], shape, dtype });
  };
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

/** The entry that made a value; undefined for inputs, constants and weights. */
export function opOf(value: Value): Op | undefined {
  return table.get(value.op);
}

/** All ops, by name. */
export function allOps(): ReadonlyMap<string, Op> {
  return table;
}

/** The same op on other inputs; shapes are inferred again. */
export function withInputs(value: Value, inputs: readonly Value[]): Value {
  if (inputs.length === 0 || inputs.every((from, i) => from === value.inputs[i])) return value;
  const { shape, dtype } = opOf(value)!.infer(inputs, value.attrs);
  return newValue({ op: value.op, inputs, attrs: value.attrs, shape, dtype });
}
