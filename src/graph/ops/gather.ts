// Reading and writing by index: gather, takeAlong, and the additions that are their gradients.
import { check, fail } from "../../base/errors.ts";
import { type DType, sizeOf } from "../../tensor/tensor.ts";
import { defineOp, type Emitter } from "../op.ts";
import { aroundAxis, axisOf, sameShape, stridesOf } from "../shape.ts";
import { scalar, showSpecs, type Value } from "../value.ts";
import { expand, reshape } from "./broadcast.ts";

function checkIndices(op: string, inputs: readonly Value[], indices: Value): void {
  check(indices.dtype.startsWith("int"), "dtype/index", `${op}: indices are integers`, {
    got: showSpecs(inputs),
    wanted: "int32 or int64",
  });
}

const makeGather = defineOp<{ axis: number }>({
  name: "gather",
  infer: (inputs, { axis }) => {
    const [x, indices] = inputs as [Value, Value];
    checkIndices("gather", inputs, indices);
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return { shape, dtype: x.dtype };
  },
  vjp: (grad, { inputs: [x, indices], attrs: { axis } }) => [
    scatterAdd(indices!, grad, { size: x!.shape[axis]!, axis }),
    undefined,
  ],
  lower: (to, { attrs: { axis } }, inputs) => to.node("Gather", inputs, { attributes: { axis } }),
  reference: ([x, indices], { inputs, attrs: { axis }, shape }) => {
    const [outer, n, inner] = aroundAxis(inputs[0]!.shape, axis);
    const out = new Float64Array(sizeOf(shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices!)
        for (let i = 0; i < inner; i++) out[at++] = x![(o * n + wrap(index, n)) * inner + i]!;
    return out;
  },
});

/** Slices of `x` along an axis, which the axes of `indices` replace. */
export function gather(x: Value, indices: Value, { axis = 0 }: { axis?: number } = {}): Value {
  return makeGather([x, indices], { axis: axisOf("gather", x, axis) });
}

interface ScatterAttrs {
  size: number;
  axis: number;
}

const makeScatterAdd = defineOp<ScatterAttrs>({
  name: "scatterAdd",
  infer: (inputs, { size, axis }) => {
    const [indices, updates] = inputs as [Value, Value];
    checkIndices("scatterAdd", inputs, indices);
    const end = axis + indices.shape.length;
    check(
      sameShape(updates.shape.slice(axis, end), indices.shape),
      "shape/scatter",
      "scatterAdd: the updates do not follow the indices",
      { got: `${showSpecs(inputs)}, axis ${axis}`, wanted: "updates [..., ...indices, ...]" },
    );
    const shape = [...updates.shape.slice(0, axis), size, ...updates.shape.slice(end)];
    const base = inputs[2];
    check(
      base === undefined || sameShape(base.shape, shape),
      "shape/scatter",
      "scatterAdd: another base",
      {
        got: showSpecs(inputs),
        wanted: `[${shape.join(", ")}]`,
      },
    );
    return { shape, dtype: updates.dtype };
  },
  vjp: (grad, { inputs: [indices], attrs: { axis } }) => [
    undefined,
    gather(grad, indices!, { axis }),
    grad,
  ],
  lower: (to, node, [indices, updates, base]) => {
    // ScatterND(add) races on several threads; ScatterElements(add) does not, and adds in order.
    // Along the last axis each line is written by one thread and stays in its cache, so the axis
    // is moved there and back: three times as fast for the gradient of an embedding.
    const [outer, size, inner] = aroundAxis(node.shape, node.attrs.axis);
    const rows = sizeOf(node.inputs[0]!.shape);
    // A reshaped output is copied: only where it has to be.
    const asShape = (name: string, from: readonly number[], shape: readonly number[]) =>
      sameShape(from, shape) ? name : to.node("Reshape", [name, to.ints(shape)]);
    if (isSparse(rows, size)) {
      // Moving the table would cost more than the updates do.
      const lead = outer === 1 ? [] : [outer];
      const whole = [...lead, size, inner];
      const some = to.ints([...lead, rows, inner]);
      const column = to.node("Reshape", [indices!, to.ints([rows, 1])]);
      const added = addInto(to, whole, node.dtype, {
        indices: to.node("Expand", [column, some]),
        updates: to.node("Reshape", [updates!, some]),
        axis: lead.length,
        from: base && asShape(base, node.shape, whole),
      });
      return asShape(added, whole, node.shape);
    }
    const swapped = (name: string, from: readonly number[]) =>
      to.node("Transpose", [to.node("Reshape", [name, to.ints(from)])], {
        attributes: { perm: [0, 2, 1] },
      });
    const lines = to.ints([outer * inner, rows]);
    const flat = to.node("Reshape", [swapped(updates!, [outer, rows, inner]), lines]);
    const line = to.node("Reshape", [indices!, to.ints([1, rows])]);
    const places = to.node("Expand", [line, lines]);
    const from =
      base && to.node("Reshape", [swapped(base, [outer, size, inner]), to.ints([-1, size])]);
    const whole = [outer * inner, size];
    const added = addInto(to, whole, node.dtype, { indices: places, updates: flat, axis: 1, from });
    return to.node("Reshape", [swapped(added, [outer, inner, size]), to.ints(node.shape)]);
  },
  reference: ([indices, updates, base], { shape, attrs: { axis } }) => {
    const [outer, n, inner] = aroundAxis(shape, axis);
    const out = base?.slice() ?? new Float64Array(sizeOf(shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices!)
        for (let i = 0; i < inner; i++)
          out[(o * n + wrap(index, n)) * inner + i]! += updates![at++]!;
    return out;
  },
});

/** Few updates of a large table. */
function isSparse(rows: number, size: number): boolean {
  return 8 * rows < size;
}

/** sum + scatterAdd(…) = the updates added to the sum in its place, where they are few. */
export function scatterOnto(sum: Value, scattered: Value): Value | undefined {
  const { inputs, attrs } = scattered;
  if (scattered.op !== "scatterAdd" || inputs.length > 2) return undefined;
  const { size, axis } = attrs as unknown as ScatterAttrs;
  if (!isSparse(sizeOf(inputs[0]!.shape), size)) return undefined;
  return makeScatterAdd([...inputs, sum], { size, axis });
}

/**
 * The transpose of `gather`: zeros with `size` places along `axis`, to which every update is added
 * at its index; updates [..., ...indices, ...]. Exact in any order of threads.
 */
export function scatterAdd(
  indices: Value,
  updates: Value,
  { size, axis = 0 }: { size: number; axis?: number },
): Value {
  const like = { ...updates, shape: updates.shape.slice(indices.shape.length - 1) };
  const flat = indices.shape.length === 0 ? reshape(indices, [1]) : indices;
  if (flat === indices)
    return makeScatterAdd([indices, updates], { size, axis: axisOf("scatterAdd", like, axis) });
  const along = axis < 0 ? axis + updates.shape.length + 1 : axis;
  const spread = [...updates.shape.slice(0, along), 1, ...updates.shape.slice(along)];
  return scatterAdd(flat, reshape(updates, spread), { size, axis: along });
}

function inferAlong(op: string, inputs: readonly Value[], x: Value, axis: number): void {
  const indices = inputs.find((one) => one.dtype.startsWith("int") && one !== x) ?? inputs[1]!;
  checkIndices(op, inputs, indices);
  const fits =
    indices.shape.length === x.shape.length &&
    indices.shape.every((n, i) => i === axis || n === x.shape[i]);
  check(fits, "shape/along", `${op}: shapes differ beside axis ${axis}`, {
    got: showSpecs(inputs),
    wanted: "indices of the same axes, but for that one",
  });
}

const makeTakeAlong = defineOp<{ axis: number }>({
  name: "takeAlong",
  infer: (inputs, { axis }) => {
    inferAlong("takeAlong", inputs, inputs[0]!, axis);
    return { shape: inputs[1]!.shape, dtype: inputs[0]!.dtype };
  },
  vjp: (grad, { inputs: [x, indices], attrs: { axis } }) => [
    scatterAlong(indices!, grad, { size: x!.shape[axis]!, axis }),
    undefined,
  ],
  lower: (to, { attrs: { axis } }, inputs) =>
    to.node("GatherElements", inputs, { attributes: { axis } }),
  reference: ([x, indices], { inputs, shape, attrs: { axis } }) => {
    const at = along(shape, inputs[0]!.shape[axis]!, axis);
    return indices!.map((index, i) => x![at(i, index)]!);
  },
});

/** At each place of `indices`, the element of `x` in the same line along `axis`. */
export function takeAlong(x: Value, indices: Value, { axis = -1 }: { axis?: number } = {}): Value {
  return makeTakeAlong([x, indices], { axis: axisOf("takeAlong", x, axis) });
}

const makeScatterAlong = defineOp<ScatterAttrs>({
  name: "scatterAlong",
  infer: (inputs, { size, axis }) => {
    const [indices, updates] = inputs as [Value, Value];
    checkIndices("scatterAlong", inputs, indices);
    check(sameShape(indices.shape, updates.shape), "shape/along", "scatterAlong: shapes differ", {
      got: showSpecs(inputs),
      wanted: "an index for each update",
    });
    return { shape: updates.shape.map((n, i) => (i === axis ? size : n)), dtype: updates.dtype };
  },
  vjp: (grad, { inputs: [indices], attrs: { axis } }) => [
    undefined,
    takeAlong(grad, indices!, { axis }),
  ],
  lower: (to, { shape, dtype, attrs }, [indices, updates]) =>
    addInto(to, shape, dtype, { indices: indices!, updates: updates!, axis: attrs.axis }),
  reference: ([indices, updates], { inputs, shape, attrs: { size, axis } }) => {
    const at = along(inputs[0]!.shape, size, axis);
    const out = new Float64Array(sizeOf(shape));
    for (let i = 0; i < indices!.length; i++) out[at(i, indices![i]!)]! += updates![i]!;
    return out;
  },
});

/** The transpose of `takeAlong`: zeros with `size` places along `axis`, plus each update. */
export function scatterAlong(
  indices: Value,
  updates: Value,
  { size, axis = -1 }: { size: number; axis?: number },
): Value {
  return makeScatterAlong([indices, updates], {
    size,
    axis: axisOf("scatterAlong", updates, axis),
  });
}

function addInto(
  to: Emitter,
  shape: readonly number[],
  dtype: DType,
  {
    indices,
    updates,
    axis,
    from,
  }: { indices: string; updates: string; axis: number; from?: string },
): string {
  const base = from ?? to.node("Expand", [to.scalar(0, dtype), to.ints(shape)]);
  return to.node("ScatterElements", [base, indices, updates], {
    attributes: { axis, reduction: "add" },
  });
}

/** How an update meets what lies at its place. */
export type ScatterHow = "replace" | "add" | "mul" | "max" | "min";

const meeting: Readonly<Record<ScatterHow, (old: number, update: number) => number>> = {
  replace: (_, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  max: Math.max,
  min: Math.min,
};

const makeScatterInto = defineOp<{ how: ScatterHow }>({
  name: "scatterInto",
  infer: (inputs) => {
    const [x, indices, updates] = inputs as [Value, Value, Value];
    checkIndices("scatterInto", inputs, indices);
    const fits =
      x.shape.length === 1 && indices.shape.length === 1 && sameShape(indices.shape, updates.shape);
    check(fits && x.dtype === updates.dtype, "shape/scatter", "scatterInto: not lines", {
      got: showSpecs(inputs),
      wanted: "x [n], indices [m], updates [m] of x's dtype",
    });
    return { shape: x.shape, dtype: x.dtype };
  },
  vjp: (grad, { inputs: [, indices, updates], attrs: { how } }) => {
    if (how === "add") return [grad, undefined, gather(grad, indices!)];
    if (how !== "replace")
      fail("grad/refused", `scatterInto: there is no gradient through "${how}"`, {
        wanted: "replace or add",
      });
    const nothing = expand(scalar(0, grad.dtype), updates!.shape);
    return [scatterInto(grad, indices!, nothing), undefined, gather(grad, indices!)];
  },
  lower: (to, { attrs: { how } }, inputs) =>
    to.node("ScatterElements", inputs, {
      attributes: { axis: 0, ...(how === "replace" ? {} : { reduction: how }) },
    }),
  reference: ([x, indices, updates], { attrs: { how } }) => {
    const out = x!.slice();
    indices!.forEach((index, i) => {
      const at = wrap(index, out.length);
      out[at] = meeting[how](out[at]!, updates![i]!);
    });
    return out;
  },
});

/**
 * `x` [n] with updates [m] at their indices [m]. With "replace", the gradient is right where no
 * index repeats.
 */
export function scatterInto(
  x: Value,
  indices: Value,
  updates: Value,
  { how = "replace" }: { how?: ScatterHow } = {},
): Value {
  return makeScatterInto([x, indices, updates], { how });
}

/** The flat index, in a tensor with `size` places along `axis`, of place `index` in i's line. */
function along(
  shape: readonly number[],
  size: number,
  axis: number,
): (i: number, index: number) => number {
  const inner = stridesOf(shape)[axis]!;
  const line = inner * shape[axis]!;
  return (i, index) => (Math.floor(i / line) * size + wrap(index, size)) * inner + (i % inner);
}

function wrap(index: number, n: number): number {
  check(index >= -n && index < n, "index/range", "an index is outside its axis", {
    got: index,
    wanted: `${-n} … ${n - 1}`,
  });
  return index < 0 ? index + n : index;
}
