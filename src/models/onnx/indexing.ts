// Operators that read and write by index.
import * as g from "../../graph/index.ts";
import type { ScatterHow } from "../../graph/ops/gather.ts";
import { stridesOf } from "../../graph/shape.ts";
import type { Value } from "../../graph/value.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import {
  arg,
  axisIn,
  type Call,
  flag,
  has,
  int,
  numberOf,
  numbers,
  type OnnxOp,
  text,
} from "./call.ts";
import { entry, everything, numeric, range, signed, unary, wholes } from "./entries.ts";
import { flip, pick } from "./pieces.ts";

/** Cuts the axes beside `axis` to those of the indices. */
function cutTo(x: Value, indices: Value, axis: number): Value {
  return indices.shape.reduce(
    (out, n, i) => (i === axis || out.shape[i] === n ? out : g.slice(out, { axis: i, end: n })),
    x,
  );
}

function gatherElements(call: Call): Value {
  const [x, indices] = [arg(call, 0), arg(call, 1)];
  const axis = axisIn(call, x.shape.length, int(call, "axis", 0));
  return g.takeAlong(cutTo(x, indices, axis), indices, { axis });
}

/** Negative indices count from the end. */
function wrapped(indices: Value, n: number): Value {
  return g.where(g.less(indices, 0), g.add(indices, n), indices);
}

const wide = (indices: Value) => g.cast(indices, "int64");

/** Flat places of the rows that the last axis of `indices` names, after `skip` axes of a batch. */
function flatRows(x: Value, indices: Value, skip: number): Value {
  const depth = indices.shape.at(-1)!;
  const sizes = x.shape.slice(skip, skip + depth);
  const strides = stridesOf(sizes);
  const last = indices.shape.length - 1;
  return range(depth)
    .map((i) => {
      const column = g.squeeze(g.slice(wide(indices), { axis: last, start: i, end: i + 1 }), last);
      return g.mul(wrapped(column, sizes[i]!), strides[i]!);
    })
    .reduce((a, b) => g.add(a, b));
}

function gatherND(call: Call): Value {
  const [x, indices] = [arg(call, 0), arg(call, 1)];
  const skip = int(call, "batch_dims", 0);
  const depth = indices.shape.at(-1)!;
  const batch = sizeOf(x.shape.slice(0, skip));
  const rows = sizeOf(x.shape.slice(skip, skip + depth));
  const rest = x.shape.slice(skip + depth);
  const flat = g.reshape(x, [batch * rows, ...rest]);
  const within = g.reshape(flatRows(x, indices, skip), [batch, -1]);
  const offsets = wholes(
    range(batch).map((b) => b * rows),
    [batch, 1],
  );
  const places = g.reshape(g.add(within, offsets), indices.shape.slice(0, -1));
  return g.gather(flat, places, { axis: 0 });
}

function howOf(call: Call): ScatterHow {
  const how = text(call, "reduction", "none");
  if (how === "none") return "replace";
  if (how === "add" || how === "mul" || how === "max" || how === "min") return how;
  return call.refuse(`scatter with ${how}`);
}

function scatterElements(call: Call): Value {
  const [x, indices, updates] = [arg(call, 0), arg(call, 1), arg(call, 2)];
  const axis = axisIn(call, x.shape.length, int(call, "axis", 0));
  const strides = stridesOf(x.shape);
  const along = g.mul(wrapped(wide(indices), x.shape[axis]!), strides[axis]!);
  const beside = indices.shape.flatMap((n, i) =>
    i === axis
      ? []
      : [
          wholes(
            range(n).map((at) => at * strides[i]!),
            indices.shape.map((_, j) => (j === i ? n : 1)),
          ),
        ],
  );
  return scatterFlat(
    x,
    beside.reduce((a, b) => g.add(a, b), along),
    updates,
    howOf(call),
  );
}

function scatterND(call: Call): Value {
  const [x, indices, updates] = [arg(call, 0), arg(call, 1), arg(call, 2)];
  const depth = indices.shape.at(-1)!;
  const inner = sizeOf(x.shape.slice(depth));
  const rows = g.reshape(g.mul(flatRows(x, indices, 0), inner), [-1, 1]);
  return scatterFlat(x, g.add(rows, wholes(range(inner), [1, inner])), updates, howOf(call));
}

/** Bools are scattered as integers: nothing adds them. */
function scatterFlat(x: Value, places: Value, updates: Value, how: ScatterHow): Value {
  const flat = (v: Value) => g.reshape(v.dtype === "bool" ? g.cast(v, "int32") : v, [-1]);
  const out = g.scatterInto(flat(x), flat(places), flat(updates), { how });
  return g.cast(g.reshape(out, x.shape), x.dtype);
}

function oneHot(call: Call): Value {
  const [indices, values] = [arg(call, 0), arg(call, 2)];
  const depth = numberOf(call, 1)!;
  const axis = int(call, "axis", -1);
  const rank = indices.shape.length + 1;
  const at = axis < 0 ? axis + rank : axis;
  const hot = g.oneHot(wrapped(wide(indices), depth), depth, { dtype: "bool" });
  const perm = range(rank).map((i) => (i === at ? rank - 1 : i < at ? i : i - 1));
  const value = (i: number) => g.reshape(g.slice(values, { axis: 0, start: i, end: i + 1 }), []);
  return g.where(g.transpose(hot, perm), value(1), value(0));
}

function extremePlace(sign: 1 | -1) {
  return (x: Value, call: Call): Value => {
    const axis = axisIn(call, x.shape.length, int(call, "axis", 0));
    const keepDims = flag(call, "keepdims", true);
    const signed = sign === 1 ? x : g.neg(x.dtype === "uint8" ? g.cast(x, "int32") : x);
    if (!flag(call, "select_last_index"))
      return g.cast(g.argmax(signed, { axis, keepDims }), "int64");
    const turned = g.cast(g.argmax(flip(signed, axis), { axis, keepDims }), "int64");
    return g.sub(x.shape[axis]! - 1, turned);
  };
}

function topK(call: Call): Value[] {
  const x = arg(call, 0);
  const k = has(call, "k") ? int(call, "k", 1) : numberOf(call, 1)!;
  const axis = int(call, "axis", -1);
  const largest = flag(call, "largest", true);
  const found = g.topK(largest ? x : g.neg(x), k, { axis });
  return [largest ? found.values : g.neg(found.values), g.cast(found.indices, "int64")];
}

function compress(call: Call): Value {
  const kept = numbers(call, 1)!.flatMap((held, i) => (held === 0 ? [] : [i]));
  const x = arg(call, 0);
  if (!has(call, "axis")) return pick(g.reshape(x, [-1]), 0, kept);
  return pick(x, axisIn(call, x.shape.length, int(call, "axis", 0)), kept);
}

function nonZero(call: Call): Value {
  const x = arg(call, 0);
  const found = numbers(call, 0)!.flatMap((held, i) => (held === 0 ? [] : [i]));
  const strides = stridesOf(x.shape);
  const places = x.shape.flatMap((n, axis) => found.map((i) => Math.floor(i / strides[axis]!) % n));
  return wholes(places, [x.shape.length, found.length]);
}

function tensorScatter(call: Call): Value {
  const [past, update] = [arg(call, 0), arg(call, 1)];
  const axis = axisIn(call, past.shape.length, int(call, "axis", -2));
  const [batch, n, m] = [past.shape[0]!, past.shape[axis]!, update.shape[axis]!];
  const starts = call.inputs[2] ?? wholes(range(batch).map(() => 0));
  const shapeAt = (list: readonly [number, number][]) =>
    past.shape.map((_, i) => list.find(([at]) => at === i)?.[1] ?? 1);
  const first = g.reshape(wide(starts), shapeAt([[0, batch]]));
  const places = g.add(first, wholes(range(m), shapeAt([[axis, m]])));
  const circular = text(call, "mode", "linear") === "circular";
  const within = circular ? g.remainder(places, n, { like: "divisor" }) : places;
  const strides = stridesOf(past.shape);
  const flat = update.shape.reduce((sum, size, i) => {
    if (i === axis) return g.add(sum, g.mul(within, strides[axis]!));
    return g.add(
      sum,
      wholes(
        range(size).map((at) => at * strides[i]!),
        shapeAt([[i, size]]),
      ),
    );
  }, g.scalar(0, "int64") as Value);
  return scatterFlat(past, g.expand(flat, update.shape), update, "replace");
}

export const indexing: readonly OnnxOp[] = [
  entry("Gather", everything, (call) =>
    g.gather(arg(call, 0), arg(call, 1), { axis: int(call, "axis", 0) }),
  ),
  entry("GatherElements", everything, gatherElements),
  entry("GatherND", everything, gatherND),
  entry("Scatter", numeric, scatterElements),
  entry("ScatterElements", numeric, scatterElements),
  entry("ScatterND", numeric, scatterND),
  entry("TensorScatter", numeric, tensorScatter),
  entry("OneHot", signed, oneHot),
  unary("ArgMax", signed, extremePlace(1)),
  unary("ArgMin", signed, extremePlace(-1)),
  entry("TopK", signed, topK),
  entry("Compress", everything, compress, { limits: "the condition must be known beforehand" }),
  entry("NonZero", everything, nonZero, { limits: "the input must be known beforehand" }),
];
