// What an entry of the operator table is handed: inputs, attributes, and what is known beforehand.
import { check, fail } from "../../base/errors.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type TensorProto,
} from "../../formats/onnx/onnx_pb.ts";
import { readTensor } from "../../formats/onnx/tensor.ts";
import { interpret } from "../../graph/interpret.ts";
import { reachable, showShape, type Value } from "../../graph/value.ts";
import { type DType, f32, sizeOf, type Tensor } from "../../tensor/tensor.ts";

export type Domain = "" | "com.microsoft";

export interface Call {
  readonly domain: string;
  readonly op: string;
  /** The node's name, or its first output's: for error texts. */
  readonly name: string;
  /** Version of the operator set. */
  readonly opset: number;
  /** Undefined where the node leaves one out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  /** How many outputs the node names. */
  readonly outputs: number;
  /** A tensor of an attribute. */
  constant(tensor: TensorProto): Value;
  /** Refuses the node: this use of a known operator is not done. */
  refuse(what: string): never;
}

/** Results in the order of the node's outputs; undefined where an entry has none for it. */
export type Results = Value | readonly (Value | undefined)[];

export interface OnnxOp {
  readonly domain: Domain;
  readonly op: string;
  /** Versions of the operator set, both ends included. */
  readonly versions: readonly [number, number];
  /** What its first input (of a generator: its result) may be made of. */
  readonly types: readonly DType[];
  /** What of the operator is refused, for the table in the docs. */
  readonly limits?: string;
  readonly build: (call: Call) => Results;
}

/** The `i`-th input, which the node must have. */
export function arg(call: Call, i: number): Value {
  return call.inputs[i] ?? call.refuse(`input ${i} is missing`);
}

function attribute(call: Call, name: string, type: keyof typeof AttributeProto_AttributeType) {
  const found = call.attributes.get(name);
  if (found === undefined) return undefined;
  check(
    found.type === AttributeProto_AttributeType[type],
    "onnx/attribute",
    `${call.op}: ${name} has another type`,
    {
      where: call.name,
      got: found.type,
      wanted: type,
    },
  );
  return found;
}

export function has(call: Call, name: string): boolean {
  return call.attributes.has(name);
}

export function int(call: Call, name: string, otherwise: number): number {
  const found = attribute(call, name, "INT");
  return found === undefined ? otherwise : Number(found.i);
}

export function flag(call: Call, name: string, otherwise = false): boolean {
  return int(call, name, Number(otherwise)) !== 0;
}

export function real(call: Call, name: string, otherwise: number): number {
  return attribute(call, name, "FLOAT")?.f ?? otherwise;
}

export function text(call: Call, name: string, otherwise: string): string {
  const found = attribute(call, name, "STRING");
  return found === undefined ? otherwise : new TextDecoder().decode(found.s);
}

export function ints(call: Call, name: string): number[] | undefined {
  return attribute(call, name, "INTS")?.ints.map(Number);
}

export function reals(call: Call, name: string): number[] | undefined {
  return attribute(call, name, "FLOATS")?.floats;
}

export function tensorOf(call: Call, name: string): Tensor | undefined {
  const found = attribute(call, name, "TENSOR");
  return found?.t === undefined ? undefined : readTensor(found.t);
}

const knownTensors = new WeakMap<Value, { tensor: Tensor | undefined }>();

/** What a value is, when nothing that is fed or lies in a file goes into it. */
export function known(value: Value): Tensor | undefined {
  if (value.op === "constant") return value.attrs.tensor as Tensor;
  let found = knownTensors.get(value);
  if (found === undefined) {
    // What is large stays a graph: nothing that has to be known is.
    const fixed = reachable([value]).every(
      ({ op, inputs, shape }) =>
        sizeOf(shape) <= 2 ** 22 && (op === "constant" || (inputs.length > 0 && op !== "opaque")),
    );
    found = { tensor: fixed ? evaluate(value) : undefined };
    knownTensors.set(value, found);
  }
  return found.tensor;
}

function evaluate(value: Value): Tensor {
  const { found } = interpret({ found: value }, {});
  return value.dtype === "float32" ? f32(value.shape, found!.data as Float64Array) : found!;
}

const baked = new WeakSet<Value>();

/** Notes that a value was worked out while the model was read: changing it later has no effect. */
export function bake(value: Value): void {
  for (const part of reachable([value])) baked.add(part);
}

export function isBaked(value: Value): boolean {
  return baked.has(value);
}

/** Input `i` as numbers, which must be known beforehand: shapes, axes, sizes. */
export function numbers(call: Call, i: number): number[] | undefined {
  const value = call.inputs[i];
  if (value === undefined) return undefined;
  const tensor = known(value);
  if (tensor === undefined)
    fail("onnx/dynamic", `${call.op}: input ${i} is only known when the model runs`, {
      where: call.name,
      got: `${value.dtype} ${showShape(value.shape)} made from inputs`,
      wanted: "a constant, or what follows from the shapes of the inputs",
      hint: "export the model with these sizes fixed",
    });
  bake(value);
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

export function numberOf(call: Call, i: number): number | undefined {
  return numbers(call, i)?.[0];
}

/** Axes are an attribute in older versions and an input in newer ones. */
export function axesFrom(call: Call, i: number, name = "axes"): number[] | undefined {
  return ints(call, name) ?? numbers(call, i);
}

/** An axis from 0; refuses what is outside. */
export function axisIn(call: Call, rank: number, axis: number): number {
  const from = axis < 0 ? axis + rank : axis;
  if (from < 0 || from >= rank) call.refuse(`there is no axis ${axis} of ${rank}`);
  return from;
}
