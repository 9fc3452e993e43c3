// Which shapes a model's inputs have once its free dimensions are given.
import { check, fail } from "../../base/errors.ts";
import type { GraphProto, ValueInfoProto } from "../../formats/onnx/onnx_pb.ts";
import { elementName } from "../../formats/onnx/tensor.ts";

/** A dimension: a number, a name, or nothing known. */
export type Dim = number | string | undefined;

export interface OnnxPort {
  readonly name: string;
  /** `float32`, `int8`, …; `sequence` and the like where it is no tensor. */
  readonly type: string;
  /** Undefined where not even the rank is known. */
  readonly shape: readonly Dim[] | undefined;
}

export function portOf(info: ValueInfoProto): OnnxPort {
  const type = info.type?.value;
  if (type?.case !== "tensorType")
    return {
      name: info.name,
      type: type?.case?.replace("Type", "") ?? "unknown",
      shape: undefined,
    };
  const shape = type.value.shape?.dim.map(({ value }): Dim => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" && value.value !== "" ? value.value : undefined;
  });
  return { name: info.name, type: elementName(type.value.elemType), shape };
}

/** Inputs that are fed: old files list initializers among them. */
export function fedInputs(graph: GraphProto): OnnxPort[] {
  const held = new Set(graph.initializer.map(({ name }) => name));
  return graph.input.filter(({ name }) => !held.has(name)).map(portOf);
}

export interface ShapeOptions {
  /** The shapes of inputs, by name. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /** The sizes of named dimensions: `{ batch: 1 }`. */
  dims?: Readonly<Record<string, number>>;
}

/** Every input's shape; refuses with a list of what is still free. */
export function bindShapes(
  ports: readonly OnnxPort[],
  { shapes = {}, dims = {} }: ShapeOptions,
): Map<string, number[]> {
  const sizes = new Map(Object.entries(dims));
  const odd = Object.keys(shapes).find((name) => !ports.some((port) => port.name === name));
  check(odd === undefined, "onnx/input", "the model has no such input", {
    got: odd,
    wanted: ports.map(({ name }) => name).join(", "),
  });
  for (const { name, shape } of ports) {
    const given = shapes[name];
    if (given === undefined || shape === undefined) continue;
    const fits =
      given.length === shape.length &&
      given.every((n, i) => {
        const dim = shape[i];
        if (typeof dim === "string" && !sizes.has(dim)) sizes.set(dim, n);
        const wanted = typeof dim === "string" ? sizes.get(dim) : dim;
        return wanted === undefined || wanted === n;
      });
    check(fits, "onnx/shape", `the input ${name} has another shape`, {
      where: name,
      got: `[${given.join(", ")}]`,
      wanted: `[${shape.map(show).join(", ")}]`,
    });
  }
  const free: string[] = [];
  const bound = new Map<string, number[]>();
  for (const { name, shape } of ports) {
    const given = shapes[name];
    const full = given ?? shape?.map((dim) => (typeof dim === "string" ? sizes.get(dim) : dim));
    if (full === undefined || full.some((n) => n === undefined))
      free.push(`${name} ${shape === undefined ? "[…]" : `[${shape.map(show).join(", ")}]`}`);
    else bound.set(name, full as number[]);
  }
  if (free.length > 0)
    fail("onnx/free-dim", "the model has inputs whose shape is not known", {
      got: free.join("; "),
      wanted: "a number for each free dimension",
      hint: "give `dims: { name: size }`, or `shapes: { input: [...] }`",
    });
  return bound;
}

function show(dim: Dim): string {
  return dim === undefined ? "?" : String(dim);
}
