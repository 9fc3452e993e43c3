// What is done with an ONNX model once it is read: list, capture, replace, differentiate, write back.
import { check, fail } from "../../base/errors.ts";
import { grad } from "../../graph/grad.ts";
import { type Program, program } from "../../graph/program.ts";
import { replace, type Swap } from "../../graph/replace.ts";
import { isFloat, type Value } from "../../graph/value.ts";
import type { DType } from "../../tensor/tensor.ts";
import { isBaked } from "./call.ts";
import type { OnnxModel } from "./read.ts";

export interface OnnxValueRow {
  readonly name: string;
  readonly kind: "input" | "initializer" | "value" | "output";
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Why it can be read, but neither replaced nor differentiated. */
  readonly fixed?: string;
}

/** Every named value, in the order of the file. */
export function listOnnx(model: OnnxModel): OnnxValueRow[] {
  const inputs = new Set(model.inputs.map(({ name }) => name));
  const initializers = new Set(model.initializers);
  return [...model.values].map(([name, value]) => ({
    name,
    kind: inputs.has(name)
      ? "input"
      : initializers.has(name)
        ? "initializer"
        : Object.hasOwn(model.outputs, name)
          ? "output"
          : "value",
    dtype: value.dtype,
    shape: value.shape,
    ...(isBaked(value) ? { fixed: "it was worked out when the model was read" } : {}),
  }));
}

/** A value by its name in the file; refuses with the names that are most like it. */
export function onnxValue(model: OnnxModel, name: string): Value {
  const found = model.values.get(name);
  if (found !== undefined) return found;
  const names = [...model.values.keys()];
  const tail = name.split(/[./:]/).at(-1)!.toLowerCase();
  const near = names.filter((other) => other.toLowerCase().includes(tail)).slice(0, 6);
  return fail("onnx/value", "the model has no such value", {
    got: name,
    wanted: (near.length > 0 ? near : names.slice(0, 12)).join(", "),
    hint: "listOnnx names all of them",
  });
}

/** A value that what follows still depends on. */
function freeValue(model: OnnxModel, name: string, verb: string): Value {
  const value = onnxValue(model, name);
  check(!isBaked(value), "onnx/baked", `${name} cannot be ${verb}`, {
    where: name,
    got: "it was worked out when the model was read: shapes, axes and indices are fixed",
    wanted: "a value that is computed when the model runs",
  });
  return value;
}

/** A program whose outputs are the named values; with `outputs`, the model's own as well. */
export function captureOnnx(
  model: OnnxModel,
  names: readonly string[],
  { outputs = false }: { outputs?: boolean } = {},
): Program {
  const captured = names.map((name): [string, Value] => {
    check(!model.inputs.some((fed) => fed.name === name), "onnx/value", `${name} is what is fed`, {
      wanted: "a value that the model makes",
    });
    return [name, onnxValue(model, name)];
  });
  return program({
    inputs: model.inputs,
    outputs: { ...(outputs ? model.outputs : {}), ...Object.fromEntries(captured) },
  });
}

/**
 * The model, where what read a named value reads what its swap makes: ablating is
 * `{ relu1: (x) => mul(x, 0) }`. The model that was given stays as it is.
 */
export function changeOnnx(model: OnnxModel, swaps: Readonly<Record<string, Swap>>): OnnxModel {
  const byValue = new Map(
    Object.entries(swaps).map(([name, swap]) => [freeValue(model, name, "replaced"), swap]),
  );
  const roots = [...model.values.values(), ...Object.values(model.outputs)];
  const { now } = replace(roots, byValue);
  return {
    ...model,
    outputs: Object.fromEntries(
      Object.entries(model.outputs).map(([name, value]) => [name, now(value)]),
    ),
    values: new Map([...model.values].map(([name, value]) => [name, now(value)])),
  };
}

/**
 * d loss / d each of the named values: inputs, initializers, anything between. `loss` is one number
 * made of the model's values. Refused where a node that we lack lies between (`grad/opaque`).
 */
export function gradOnnx(
  model: OnnxModel,
  loss: Value,
  names: readonly string[],
): Record<string, Value> {
  const values = names.map((name) => {
    const value = freeValue(model, name, "differentiated");
    check(isFloat(value.dtype), "onnx/grad", `${name} is no float`, { got: value.dtype });
    return value;
  });
  const found = grad(loss, values);
  return Object.fromEntries(names.map((name, i) => [name, found[i]!]));
}

/**
 * The model as one ONNX file with the same inputs and outputs, written in operator set 20 and ONNX
 * Runtime's own operators; shapes are fixed, and weights of other files stay there.
 */
export function writeOnnx(model: OnnxModel): Program {
  return program({ inputs: model.inputs, outputs: model.outputs });
}
