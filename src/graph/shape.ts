// How shapes combine: numpy's broadcasting, axes counted from either end, strides.
import { check, fail } from "../base/errors.ts";
import { showShape, showSpecs, type Value } from "./value.ts";

/** The shape that all operands broadcast to; the error shows all of them. */
export function broadcastShapes(op: string, values: readonly Value[]): number[] {
  const rank = Math.max(0, ...values.map((value) => value.shape.length));
  const shape = new Array<number>(rank).fill(1);
  for (const value of values)
    for (let i = 0; i < value.shape.length; i++) {
      const axis = rank - value.shape.length + i;
      const n = value.shape[i]!;
      if (n === 1 || n === shape[axis]) continue;
      if (shape[axis] !== 1)
        fail("shape/broadcast", `${op}: shapes do not broadcast`, {
          where: op,
          got: showSpecs(values),
          wanted: "axes equal or 1, compared from the last axis",
        });
      shape[axis] = n;
    }
  return shape;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** An axis in 0…rank-1 from one that may count from the end. */
export function axisOf(op: string, value: Value, axis: number): number {
  const rank = value.shape.length;
  const from = axis < 0 ? axis + rank : axis;
  check(
    Number.isInteger(axis) && from >= 0 && from < rank,
    "shape/axis",
    `${op}: there is no axis ${axis}`,
    { where: op, got: showShape(value.shape), wanted: `an axis from ${-rank} to ${rank - 1}` },
  );
  return from;
}

/** Sorted axes; all of them when `axes` is left out. */
export function axesOf(op: string, value: Value, axes?: number | readonly number[]): number[] {
  if (axes === undefined) return value.shape.map((_, i) => i);
  const list = typeof axes === "number" ? [axes] : axes;
  const found = list.map((axis) => axisOf(op, value, axis)).sort((a, b) => a - b);
  check(new Set(found).size === found.length, "shape/axis", `${op}: an axis is named twice`, {
    where: op,
    got: showShape(list),
    wanted: `distinct axes of ${showShape(value.shape)}`,
  });
  return found;
}

export function reducedShape(
  shape: readonly number[],
  axes: readonly number[],
  keepDims: boolean,
): number[] {
  if (keepDims) return shape.map((n, i) => (axes.includes(i) ? 1 : n));
  return shape.filter((_, i) => !axes.includes(i));
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Sizes before, at, and after an axis: the three loops of a pass along it. */
export function aroundAxis(shape: readonly number[], axis: number): [number, number, number] {
  const product = (part: readonly number[]) => part.reduce((n, m) => n * m, 1);
  return [product(shape.slice(0, axis)), shape[axis]!, product(shape.slice(axis + 1))];
}
