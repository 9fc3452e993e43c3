// How a weight of one layout is seen in another: a few steps that move no number until they must.
import { check } from "../base/errors.ts";
import { reshape, slice, transpose, type Value } from "../graph/index.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";

export type ViewStep =
  | { readonly kind: "reshape"; readonly shape: readonly number[] }
  | { readonly kind: "transpose"; readonly perm: readonly number[] }
  | {
      readonly kind: "slice";
      readonly axis: number;
      readonly start: number;
      readonly end: number;
    };

/** A tensor of a checkpoint by its name, and the steps that lead to the weight. */
export interface View {
  readonly tensor: string;
  readonly steps: readonly ViewStep[];
}

export const reshaped = (...shape: number[]): ViewStep => ({ kind: "reshape", shape });
export const transposed = (...perm: number[]): ViewStep => ({ kind: "transpose", perm });
export const sliced = (axis: number, start: number, end: number): ViewStep => ({
  kind: "slice",
  axis,
  start,
  end,
});

export function view(name: string, ...steps: ViewStep[]): View {
  return { tensor: name, steps };
}

/** The shape after the steps; refuses steps that do not fit, with `model/weights`. */
export function shapeAfter(
  shape: readonly number[],
  steps: readonly ViewStep[],
  where: string,
): number[] {
  let now = [...shape];
  for (const step of steps) {
    check(fits(now, step), "model/weights", `${where} has another shape`, {
      where,
      got: `[${now.join(", ")}]`,
      wanted: describe(step),
    });
    now = next(now, step);
  }
  return now;
}

function fits(shape: readonly number[], step: ViewStep): boolean {
  if (step.kind === "reshape") return sizeOf(step.shape) === sizeOf(shape);
  if (step.kind === "transpose") return step.perm.length === shape.length;
  return step.axis < shape.length && step.end <= shape[step.axis]!;
}

function describe(step: ViewStep): string {
  if (step.kind === "reshape") return `what can be read as [${step.shape.join(", ")}]`;
  if (step.kind === "transpose") return `${step.perm.length} axes`;
  return `at least ${step.end} on axis ${step.axis}`;
}

function next(shape: readonly number[], step: ViewStep): number[] {
  if (step.kind === "reshape") return [...step.shape];
  if (step.kind === "transpose") return step.perm.map((axis) => shape[axis]!);
  return shape.map((n, axis) => (axis === step.axis ? step.end - step.start : n));
}

export function viewValue(value: Value, steps: readonly ViewStep[]): Value {
  return steps.reduce((now, step) => {
    if (step.kind === "reshape") return reshape(now, step.shape);
    if (step.kind === "transpose") return transpose(now, step.perm);
    return slice(now, { axis: step.axis, start: step.start, end: step.end });
  }, value);
}

/** Shares memory where the steps move nothing. */
export function viewTensor(from: Tensor<"float32">, steps: readonly ViewStep[]): Tensor<"float32"> {
  return steps.reduce((now, step) => {
    if (step.kind === "reshape") return tensor("float32", step.shape, now.data);
    const shape = next(now.shape, step);
    const strides = stridesOf(now.shape);
    if (step.kind === "transpose")
      return copied(
        now.data,
        shape,
        0,
        step.perm.map((axis) => strides[axis]!),
      );
    const first = step.start * strides[step.axis]!;
    if (sizeOf(now.shape.slice(0, step.axis)) === 1)
      return tensor("float32", shape, now.data.subarray(first, first + sizeOf(shape)));
    return copied(now.data, shape, first, strides);
  }, from);
}

/**
 * Steps at the front that pick one stretch of the tensor: where it begins and which shape it has,
 * so that a part of a file can be read, and mapped, without the rest.
 */
export function leadingStretch(
  shape: readonly number[],
  steps: readonly ViewStep[],
): { first: number; shape: readonly number[]; rest: readonly ViewStep[] } {
  let now = [...shape];
  let first = 0;
  let taken = { first, shape: shape as readonly number[], rest: steps };
  for (const [i, step] of steps.entries()) {
    if (step.kind === "transpose") break;
    if (step.kind === "slice") {
      if (sizeOf(now.slice(0, step.axis)) !== 1) break;
      first += step.start * stridesOf(now)[step.axis]!;
    }
    now = next(now, step);
    if (step.kind !== "slice") continue;
    // What is reshaped next needs no axes of size 1 in front.
    const plain = steps[i + 1]?.kind === "reshape" ? now.findIndex((n) => n !== 1) : 0;
    taken = { first, shape: now.slice(Math.max(plain, 0)), rest: steps.slice(i + 1) };
  }
  return taken;
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Row by row of the last axis: the inner loop has one stride. */
function copied(
  data: Float32Array,
  shape: readonly number[],
  first: number,
  strides: readonly number[],
): Tensor<"float32"> {
  const out = new Float32Array(sizeOf(shape));
  const width = shape.at(-1) ?? 1;
  const step = strides.at(-1) ?? 1;
  const index = new Array<number>(shape.length).fill(0);
  for (let to = 0; to < out.length; to += width) {
    let at = first;
    for (let axis = 0; axis < shape.length - 1; axis++) at += index[axis]! * strides[axis]!;
    for (let i = 0; i < width; i++) out[to + i] = data[at + i * step]!;
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return tensor("float32", shape, out);
}
