// What the values are, by mathematics alone: plain float64 loops, the judge of every backend.
import { fail } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fromCells, toCells } from "./cells.ts";
import { type Cells, opOf } from "./op.ts";
import type { Program } from "./program.ts";
import { isFloat, reachable, showShape, type Value } from "./value.ts";

/**
 * Evaluates outputs. Floats come back as float64 whatever their dtype, other values in their own.
 * Weights in files are not read: feed them by name.
 */
export function interpret(
  of: Program | Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const outputs = isProgram(of) ? of.values : of;
  const roots = Object.values(outputs);
  const order = reachable(roots);
  const last = new Map<number, number>();
  for (const value of order) for (const from of value.inputs) last.set(from.id, value.id);
  for (const root of roots) last.set(root.id, Number.POSITIVE_INFINITY);
  const cells = new Map<number, Cells>();
  for (const value of order) {
    cells.set(value.id, evaluate(value, cells, feeds));
    for (const from of value.inputs) if (last.get(from.id) === value.id) cells.delete(from.id);
  }
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [
      name,
      fromCells(isFloat(value.dtype) ? "float64" : value.dtype, value.shape, cells.get(value.id)!),
    ]),
  );
}

function evaluate(
  value: Value,
  cells: ReadonlyMap<number, Cells>,
  feeds: Readonly<Record<string, Tensor>>,
): Cells {
  if (value.op === "constant") return toCells(value.attrs.tensor as Tensor);
  const op = opOf(value);
  if (op !== undefined) {
    const found = op.reference(
      value.inputs.map(({ id }) => cells.get(id)!),
      value,
    );
    // Whole numbers of a few bits go around; int64 is exact up to 2⁵³ only.
    if (value.dtype === "uint8") return found.map((x) => x & 255);
    return value.dtype === "int32" ? found.map((x) => x | 0) : found;
  }
  const fed = feeds[value.name!];
  if (fed === undefined)
    fail("interpret/feeds", `the ${value.op} ${value.name} was not fed`, {
      got: Object.keys(feeds).join(", "),
      wanted: value.name,
    });
  if (fed.shape.length !== value.shape.length || fed.shape.some((n, i) => n !== value.shape[i]))
    fail("interpret/feeds", `${value.name} has another shape`, {
      got: showShape(fed.shape),
      wanted: showShape(value.shape),
    });
  return toCells(fed);
}

function isProgram(of: Program | Readonly<Record<string, Value>>): of is Program {
  return (of as Program).bytes instanceof Uint8Array;
}
