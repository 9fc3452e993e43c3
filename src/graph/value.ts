// What a graph is made of: a value knows the op that makes it, its inputs, its shape and its dtype.
import { check } from "../base/errors.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";

export interface Value {
  /** Grows with creation: inputs have smaller ids than what is made of them. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Inputs and weights have one. */
  readonly name?: string;
}

/** Where the bytes of a weight lie: `path` of the file, `offset` and `length` in bytes. */
export interface WeightFile {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

let lastId = 0;

/** A new value; shapes are checked by the op that calls this. */
export function newValue(parts: Omit<Value, "id">): Value {
  lastId += 1;
  return Object.freeze({
    ...parts,
    id: lastId,
    inputs: Object.freeze([...parts.inputs]),
    attrs: Object.freeze({ ...parts.attrs }),
    shape: Object.freeze([...parts.shape]),
  });
}

/** A value that is fed at each run: tokens, weights that change. */
export function input(name: string, dtype: DType, shape: readonly number[]): Value {
  checkLeaf(name, shape);
  return newValue({ op: "input", inputs: [], attrs: {}, shape, dtype, name });
}

/** A value that is baked into the program. */
export function constant(from: Tensor): Value {
  const { shape, dtype } = from;
  return newValue({ op: "constant", inputs: [], attrs: { tensor: from }, shape, dtype });
}

/** A value whose bytes stay in their file (a tensor of a `.safetensors`). */
export function weight(
  name: string,
  dtype: DType,
  shape: readonly number[],
  file: WeightFile,
): Value {
  checkLeaf(name, shape);
  const wanted = sizeOf(shape) * bytesPerElement[dtype];
  check(file.length === wanted, "weight/length", `weight ${name}: the file has another length`, {
    where: file.path,
    got: `${file.length} bytes`,
    wanted: `${wanted} bytes for ${dtype} ${showShape(shape)}`,
  });
  return newValue({ op: "weight", inputs: [], attrs: { file }, shape, dtype, name });
}

/** A number as a constant without axes. */
export function scalar(x: number, dtype: DType = "float32"): Value {
  if (dtype === "int64") return constant(tensor("int64", [], BigInt64Array.of(BigInt(x))));
  if (dtype === "int32") return constant(tensor("int32", [], Int32Array.of(x)));
  if (dtype === "float64") return constant(tensor("float64", [], Float64Array.of(x)));
  if (dtype === "bool" || dtype === "uint8") return constant(tensor(dtype, [], Uint8Array.of(x)));
  return constant(tensor("float32", [], Float32Array.of(x)));
}

/** The one number that a constant holds everywhere (of up to 64 elements), if it does. */
export function constantNumber(value: Value): number | undefined {
  if (value.op === "expand" || value.op === "reshape") return constantNumber(value.inputs[0]!);
  if (value.op !== "constant") return undefined;
  const { data } = value.attrs.tensor as Tensor;
  if (data.length === 0 || data.length > 64) return undefined;
  const first = Number(data[0]);
  return data.every((x) => Number(x) === first) ? first : undefined;
}

export function isFloat(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float64";
}

export function showShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** `float32 [2, 3], int32 [2]`: all operands, for error texts. */
export function showSpecs(values: readonly Value[]): string {
  return values.map((value) => `${value.dtype} ${showShape(value.shape)}`).join(", ");
}

/** Every value that `roots` need, inputs before what is made of them. */
export function reachable(roots: readonly Value[]): Value[] {
  const seen = new Map<number, Value>();
  const stack = [...roots];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (seen.has(value.id)) continue;
    seen.set(value.id, value);
    stack.push(...value.inputs);
  }
  return [...seen.values()].sort((a, b) => a.id - b.id);
}

function checkLeaf(name: string, shape: readonly number[]): void {
  check(name !== "", "value/name", "an input or a weight needs a name");
  check(
    shape.every((n) => Number.isSafeInteger(n) && n >= 0),
    "shape/static",
    `${name}: shapes are whole numbers known beforehand`,
    { where: name, got: showShape(shape), wanted: "non-negative integers" },
  );
}
