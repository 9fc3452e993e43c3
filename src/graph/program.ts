// What can be run: values lowered once to ONNX bytes, with names, shapes and a hash.
import { check } from "../base/errors.ts";
import type { DType } from "../tensor/tensor.ts";
import { hashBytes } from "./hash.ts";
import { lower } from "./lower.ts";
import { simplify } from "./simplify.ts";
import { reachable, type Value } from "./value.ts";

export interface ProgramSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface Program {
  /** An ONNX model. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly ProgramSpec[];
  readonly outputs: readonly ProgramSpec[];
  /** Of the bytes and the folder: equal programs have equal hashes. */
  readonly hash: string;
  /** The folder that holds the files of its weights, if it has any. */
  readonly externalFolder?: string;
  /** The outputs as they were given, for `interpret` and `print`. */
  readonly values: Readonly<Record<string, Value>>;
}

/** Lowers values to ONNX: dead ones are left out, equal ones made once. */
export function program(spec: {
  inputs: readonly Value[];
  outputs: Readonly<Record<string, Value>>;
}): Program {
  const { inputs, outputs } = spec;
  const names = Object.keys(outputs);
  const roots = Object.values(outputs);
  const given = new Set(inputs.map(({ id }) => id));
  check(names.length > 0, "program/outputs", "a program needs an output");
  const all = [...inputs.map(({ name }) => name ?? ""), ...names];
  const twice = all.find((name, i) => all.indexOf(name) !== i);
  check(twice === undefined, "program/names", "inputs and outputs need names of their own", {
    got: twice,
    wanted: "distinct names",
  });
  const odd = inputs.find(({ op }) => op !== "input");
  check(odd === undefined, "program/input", "a program's inputs are made by input()", {
    got: odd?.op,
  });
  const missing = reachable(roots).find(({ op, id }) => op === "input" && !given.has(id));
  check(missing === undefined, "program/input", "an input is used, but not among the inputs", {
    got: missing?.name,
    wanted: `one of ${inputs.map(({ name }) => name).join(", ")}`,
  });
  const simple = simplify(roots);
  const { bytes, externalFolder } = lower(
    inputs,
    Object.fromEntries(names.map((name, i) => [name, simple[i]!])),
  );
  const specOf = (name: string, { dtype, shape }: Value): ProgramSpec => ({ name, dtype, shape });
  const folder = new TextEncoder().encode(externalFolder ?? "");
  return Object.freeze({
    bytes,
    inputs: inputs.map((value) => specOf(value.name!, value)),
    outputs: names.map((name, i) => specOf(name, roots[i]!)),
    hash: hashBytes(bytes) + (externalFolder === undefined ? "" : hashBytes(folder)),
    externalFolder,
    values: outputs,
  });
}
