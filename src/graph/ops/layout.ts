// Where numbers lie: transpose, slice, concat, pad.
import { check } from "../../base/errors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { type Cells, defineOp } from "../op.ts";
import { axisOf, sameShape, stridesOf } from "../shape.ts";
import { showShape, showSpecs, type Value } from "../value.ts";
import { reshape } from "./broadcast.ts";

const makeTranspose = defineOp<{ perm: readonly number[] }>({
  name: "transpose",
  infer: ([x], { perm }) => {
    const sorted = [...perm].sort((a, b) => a - b);
    const fits = perm.length === x!.shape.length && sorted.every((axis, i) => axis === i);
    check(fits, "shape/perm", "transpose: not a permutation of the axes", {
      got: `perm ${showShape(perm)} for ${showShape(x!.shape)}`,
      wanted: `each of 0…${x!.shape.length - 1} once`,
    });
    return { shape: perm.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  vjp: (grad, { attrs: { perm } }) => [transpose(grad, inverse(perm))],
  lower: (to, { attrs }, [x]) => to.node("Transpose", [x!], { attributes: { perm: attrs.perm } }),
  reference: ([x], { inputs, shape, attrs }) => {
    const from = stridesOf(inputs[0]!.shape);
    return gatherCells(
      x!,
      shape,
      0,
      attrs.perm.map((axis) => from[axis]!),
    );
  },
});

/** Axis `i` of the result is axis `perm[i]` of `x`. */
export function transpose(x: Value, perm: readonly number[]): Value {
  const from = perm.map((axis) => axisOf("transpose", x, axis));
  if (from.every((axis, i) => axis === i) && from.length === x.shape.length) return x;
  if (x.op !== "transpose") return makeTranspose([x], { perm: from });
  const before = x.attrs.perm as readonly number[];
  return transpose(
    x.inputs[0]!,
    from.map((axis) => before[axis]!),
  );
}

function inverse(perm: readonly number[]): number[] {
  return perm.map((_, i) => perm.indexOf(i));
}

interface SliceAttrs {
  starts: readonly number[];
  ends: readonly number[];
  steps: readonly number[];
}

const makeSlice = defineOp<SliceAttrs>({
  name: "slice",
  infer: ([x], { starts, ends, steps }) => ({
    shape: starts.map((start, i) => Math.max(0, Math.ceil((ends[i]! - start) / steps[i]!))),
    dtype: x!.dtype,
  }),
  vjp: (grad, { inputs: [x], attrs: { starts, steps } }) => {
    const spread = steps.reduce((g, step, axis) => interleave(g, axis, step), grad);
    return [
      pad(
        spread,
        x!.shape.map((n, i) => [starts[i]!, n - starts[i]! - spread.shape[i]!]),
      ),
    ];
  },
  lower: (to, { attrs, inputs }, [x]) => {
    const { starts, ends, steps } = attrs;
    const cut = starts
      .map((_, i) => i)
      .filter((i) => starts[i] !== 0 || ends[i] !== inputs[0]!.shape[i] || steps[i] !== 1);
    const pick = (list: readonly number[]) => to.ints(cut.map((i) => list[i]!));
    return to.node("Slice", [x!, pick(starts), pick(ends), to.ints(cut), pick(steps)]);
  },
  reference: ([x], { inputs, shape, attrs }) => {
    const from = stridesOf(inputs[0]!.shape);
    const first = attrs.starts.reduce((at, start, i) => at + start * from[i]!, 0);
    return gatherCells(
      x!,
      shape,
      first,
      from.map((stride, i) => stride * attrs.steps[i]!),
    );
  },
});

export interface SliceOptions {
  axis: number;
  /** May count from the end. */
  start?: number;
  /** Left out: to the end of the axis. */
  end?: number;
  step?: number;
}

/** Places start, start + step, … before `end` of one axis. */
export function slice(x: Value, { axis, start = 0, end, step = 1 }: SliceOptions): Value {
  const along = axisOf("slice", x, axis);
  const n = x.shape[along]!;
  const from = start < 0 ? start + n : start;
  const until = end === undefined ? n : end < 0 ? end + n : end;
  check(
    Number.isInteger(from) && Number.isInteger(until) && from >= 0 && from <= until && until <= n,
    "shape/slice",
    "slice: outside the axis",
    {
      got: `${start}…${end ?? n} of axis ${axis} of ${showShape(x.shape)}`,
      wanted: `0 ≤ start ≤ end ≤ ${n}`,
    },
  );
  check(Number.isInteger(step) && step > 0, "shape/slice", "slice: the step is not positive", {
    got: step,
    wanted: "a whole number from 1",
  });
  if (from === 0 && until === n && step === 1) return x;
  const at = (value: number) => x.shape.map((_, i) => (i === along ? value : 0));
  return makeSlice([x], {
    starts: at(from),
    ends: x.shape.map((m, i) => (i === along ? until : m)),
    steps: x.shape.map((_, i) => (i === along ? step : 1)),
  });
}

/** Puts `step - 1` zeros between neighbours along an axis: what a slice with a step left out. */
function interleave(x: Value, axis: number, step: number): Value {
  if (step === 1 || x.shape[axis]! < 2) return x;
  const n = x.shape[axis]!;
  const split = [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)];
  const padded = pad(
    reshape(x, split),
    split.map((_, i) => [0, i === axis + 1 ? step - 1 : 0]),
  );
  const joined = x.shape.map((m, i) => (i === axis ? n * step : m));
  return slice(reshape(padded, joined), { axis, end: (n - 1) * step + 1 });
}

const makeConcat = defineOp<{ axis: number }>({
  name: "concat",
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    const fits = inputs.every(
      (x) =>
        x.dtype === first!.dtype &&
        x.shape.length === first!.shape.length &&
        x.shape.every((n, i) => i === axis || n === first!.shape[i]),
    );
    check(fits, "shape/concat", `concat: the parts differ beside axis ${axis}`, {
      got: showSpecs(inputs),
      wanted: "one dtype, and equal axes beside it",
    });
    const total = inputs.reduce((n, x) => n + x.shape[axis]!, 0);
    return { shape: first!.shape.map((n, i) => (i === axis ? total : n)), dtype: first!.dtype };
  },
  vjp: (grad, { inputs, attrs: { axis } }) => {
    let start = 0;
    return inputs.map((x) => {
      const end = start + x.shape[axis]!;
      const part = slice(grad, { axis, start, end });
      start = end;
      return part;
    });
  },
  lower: (to, { attrs }, inputs) => to.node("Concat", inputs, { attributes: { axis: attrs.axis } }),
  reference: (cells, { inputs, shape, attrs: { axis } }) => {
    const out = new Float64Array(sizeOf(shape));
    const outer = sizeOf(shape.slice(0, axis));
    const row = sizeOf(shape.slice(axis));
    let start = 0;
    cells.forEach((x, i) => {
      const width = sizeOf(inputs[i]!.shape.slice(axis));
      for (let o = 0; o < outer; o++)
        out.set(x.subarray(o * width, (o + 1) * width), o * row + start);
      start += width;
    });
    return out;
  },
});

export function concat(parts: readonly Value[], { axis = 0 }: { axis?: number } = {}): Value {
  check(parts.length > 0, "shape/concat", "concat: there are no parts");
  return parts.length === 1
    ? parts[0]!
    : makeConcat(parts, { axis: axisOf("concat", parts[0]!, axis) });
}

interface PadAttrs {
  before: readonly number[];
  after: readonly number[];
  value: number;
}

const makePad = defineOp<PadAttrs>({
  name: "pad",
  infer: ([x], { before, after }) => ({
    shape: x!.shape.map((n, i) => before[i]! + n + after[i]!),
    dtype: x!.dtype,
  }),
  vjp: (grad, { inputs: [x], attrs: { before } }) => [
    x!.shape.reduce(
      (g, n, axis) => slice(g, { axis, start: before[axis]!, end: before[axis]! + n }),
      grad,
    ),
  ],
  lower: (to, { dtype, attrs: { before, after, value } }, [x]) =>
    to.node("Pad", [x!, to.ints([...before, ...after]), to.scalar(value, dtype)]),
  reference: ([x], { inputs: [from], shape, attrs: { before, value } }) => {
    const out = new Float64Array(sizeOf(shape)).fill(value);
    const outer = stridesOf(shape);
    const inner = stridesOf(from!.shape);
    for (let i = 0; i < x!.length; i++) {
      let at = 0;
      for (let axis = 0; axis < shape.length; axis++)
        at += ((Math.floor(i / inner[axis]!) % from!.shape[axis]!) + before[axis]!) * outer[axis]!;
      out[at] = x![i]!;
    }
    return out;
  },
});

/** Adds `[before, after]` places of `value` on each axis. */
export function pad(
  x: Value,
  sides: readonly (readonly [number, number])[] | number[][],
  { value = 0 }: { value?: number } = {},
): Value {
  const fits =
    sides.length === x.shape.length &&
    sides.every(([a, b]) => Number.isInteger(a) && Number.isInteger(b) && a! >= 0 && b! >= 0);
  check(fits, "shape/pad", "pad: not a [before, after] for each axis", {
    got: `${JSON.stringify(sides)} for ${showShape(x.shape)}`,
    wanted: `${x.shape.length} pairs of non-negative whole numbers`,
  });
  const before = sides.map(([a]) => a!);
  const after = sides.map(([, b]) => b!);
  const nothing = x.shape.map(() => 0);
  if (sameShape(before, nothing) && sameShape(after, nothing)) return x;
  return makePad([x], { before, after, value });
}

/** For references: reads `x` at first + Σ index · stride. */
function gatherCells(
  x: Cells,
  shape: readonly number[],
  first: number,
  strides: readonly number[],
): Cells {
  const outer = stridesOf(shape);
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    let at = first;
    for (let axis = 0; axis < shape.length; axis++)
      at += (Math.floor(i / outer[axis]!) % shape[axis]!) * strides[axis]!;
    return x[at]!;
  });
}
