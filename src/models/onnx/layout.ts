// Operators that move numbers without changing them, and those that make them from shapes.

import { dtypeOfElement } from "../../formats/onnx/tensor.ts";
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import {
  arg,
  axesFrom,
  axisIn,
  type Call,
  flag,
  int,
  ints,
  numberOf,
  numbers,
  type OnnxOp,
  real,
  text,
} from "./call.ts";
import {
  entry,
  everything,
  filled,
  floats,
  integers,
  numeric,
  range,
  unary,
  wholes,
} from "./entries.ts";
import { pick } from "./pieces.ts";

function reshape(x: Value, call: Call): Value {
  const wanted = ints(call, "shape") ?? numbers(call, 1) ?? call.refuse("there is no shape");
  const zeros = flag(call, "allowzero");
  const shape = wanted.map((n, i) => (n === 0 && !zeros ? (x.shape[i] ?? 0) : n));
  return g.reshape(x, shape);
}

function flatten(x: Value, call: Call): Value {
  const axis = int(call, "axis", 1);
  const from = axis < 0 ? axis + x.shape.length : axis;
  return g.reshape(x, [sizeOf(x.shape.slice(0, from)), sizeOf(x.shape.slice(from))]);
}

function squeeze(x: Value, call: Call): Value {
  const axes = axesFrom(call, 1) ?? x.shape.flatMap((n, i) => (n === 1 ? [i] : []));
  return axes.length === 0 ? x : g.squeeze(x, axes);
}

function unsqueeze(x: Value, call: Call): Value {
  return g.unsqueeze(x, axesFrom(call, 1) ?? call.refuse("there are no axes"));
}

function transpose(x: Value, call: Call): Value {
  return g.transpose(x, ints(call, "perm") ?? range(x.shape.length).reverse());
}

function concat(call: Call): Value {
  const parts = call.inputs.filter((x) => x !== undefined);
  const first = arg(call, 0);
  const axis = axisIn(call, first.shape.length, int(call, "axis", 1));
  // An empty part has nothing to add, and may lack the other axes.
  const full = parts.filter((part) => part.shape[axis] !== 0);
  return g.concat(full.length === 0 ? [first] : full, { axis });
}

function split(call: Call): Value[] {
  const x = arg(call, 0);
  const axis = axisIn(call, x.shape.length, int(call, "axis", 0));
  const n = x.shape[axis]!;
  const count = int(call, "num_outputs", call.outputs);
  const part = Math.ceil(n / count);
  const equal = range(count).map((i) => Math.max(0, Math.min(part, n - i * part)));
  const sizes = ints(call, "split") ?? numbers(call, 1) ?? equal;
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return g.slice(x, { axis, start: start - size, end: start });
  });
}

function slice(call: Call): Value {
  let x = arg(call, 0);
  const starts = ints(call, "starts") ?? numbers(call, 1) ?? [];
  const ends = ints(call, "ends") ?? numbers(call, 2) ?? [];
  const axes = axesFrom(call, 3) ?? range(starts.length);
  const steps = numbers(call, 4) ?? starts.map(() => 1);
  axes.forEach((given, i) => {
    const axis = axisIn(call, x.shape.length, given);
    const n = x.shape[axis]!;
    const step = steps[i]!;
    const clamp = (at: number, low: number, high: number) =>
      Math.min(Math.max(at < 0 ? at + n : at, low), high);
    if (step > 0) {
      const start = clamp(starts[i]!, 0, n);
      x = g.slice(x, { axis, start, end: Math.max(start, clamp(ends[i]!, 0, n)), step });
    } else {
      const start = clamp(starts[i]!, 0, n - 1);
      const end = clamp(ends[i]!, -1, n - 1);
      const count = Math.max(0, Math.ceil((end - start) / step));
      x = pick(
        x,
        axis,
        range(count).map((k) => start + k * step),
      );
    }
  });
  return x;
}

function tile(x: Value, call: Call): Value {
  const repeats =
    call.opset >= 6
      ? numbers(call, 1)!
      : range(x.shape.length).map((i) => (i === numberOf(call, 2) ? numberOf(call, 1)! : 1));
  const ones = x.shape.flatMap((n) => [1, n]);
  const wide = x.shape.flatMap((n, i) => [repeats[i]!, n]);
  return g.reshape(
    g.expand(g.reshape(x, ones), wide),
    x.shape.map((n, i) => n * repeats[i]!),
  );
}

function expand(x: Value, call: Call): Value {
  const shape = numbers(call, 1)!;
  const rank = Math.max(shape.length, x.shape.length);
  const at = (list: readonly number[], i: number) => list[i - rank + list.length] ?? 1;
  // Both sides broadcast: an axis of 1 in the shape keeps what is there.
  const full = range(rank).map((i) => (at(shape, i) === 1 ? at(x.shape, i) : at(shape, i)));
  return g.expand(x, full);
}

function pad(x: Value, call: Call): Value {
  const mode = text(call, "mode", "constant");
  const given = ints(call, "pads") ?? ints(call, "paddings") ?? numbers(call, 1)!;
  const axes = (numbers(call, 3) ?? range(x.shape.length)).map((axis) =>
    axisIn(call, x.shape.length, axis),
  );
  const value =
    call.opset < 11
      ? real(call, "value", 0)
      : call.inputs[2] === undefined
        ? 0
        : numberOf(call, 2)!;
  const sides = range(x.shape.length).map((): [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    sides[axis] = [given[i]!, given[i + axes.length]!];
  });
  if (mode === "constant") return padConstant(x, sides, value);
  return sides.reduce((out, [before, after], axis) => {
    const n = x.shape[axis]!;
    if (before === 0 && after === 0) return out;
    const places = range(before + n + after).map((i) => placeOf(mode, i - before, n, call));
    return pick(out, axis, places);
  }, x);
}

/** Negative padding cuts. */
function padConstant(x: Value, sides: readonly [number, number][], value: number): Value {
  const cut = sides.reduce(
    (out, [before, after], axis) =>
      g.slice(out, {
        axis,
        start: Math.max(0, -before),
        end: out.shape[axis]! - Math.max(0, -after),
      }),
    x,
  );
  const grown = sides.map(([a, b]) => [Math.max(0, a), Math.max(0, b)]);
  if (x.dtype !== "bool") return g.pad(cut, grown, { value });
  return g.cast(g.pad(g.cast(cut, "int32"), grown, { value }), "bool");
}

function placeOf(mode: string, i: number, n: number, call: Call): number {
  if (mode === "edge") return Math.min(Math.max(i, 0), n - 1);
  if (mode === "wrap") return ((i % n) + n) % n;
  if (mode !== "reflect") call.refuse(`padding by ${mode}`);
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const at = ((i % period) + period) % period;
  return at < n ? at : period - at;
}

function depthToSpace(x: Value, call: Call): Value {
  const [b, c, h, w] = x.shape as [number, number, number, number];
  const s = int(call, "blocksize", 1);
  const d = c / (s * s);
  const columnFirst = text(call, "mode", "DCR") === "CRD";
  const split = columnFirst ? [b, d, s, s, h, w] : [b, s, s, d, h, w];
  const perm = columnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  return g.reshape(g.transpose(g.reshape(x, split), perm), [b, d, h * s, w * s]);
}

function spaceToDepth(x: Value, call: Call): Value {
  const [b, c, h, w] = x.shape as [number, number, number, number];
  const s = int(call, "blocksize", 1);
  const split = g.reshape(x, [b, c, h / s, s, w / s, s]);
  return g.reshape(g.transpose(split, [0, 3, 5, 1, 2, 4]), [b, c * s * s, h / s, w / s]);
}

function trilu(x: Value, call: Call): Value {
  const k = call.inputs[1] === undefined ? 0 : numberOf(call, 1)!;
  const upper = flag(call, "upper", true);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const kept = filled("bool", [rows, columns], (i) => {
    const off = (i % columns) - Math.floor(i / columns);
    return Number(upper ? off >= k : off <= k);
  });
  const zero = g.scalar(0, x.dtype);
  return x.dtype === "bool" ? g.and(x, kept) : g.where(kept, x, zero);
}

function shape(x: Value, call: Call): Value {
  const rank = x.shape.length;
  const clamp = (n: number) => Math.min(Math.max(n < 0 ? n + rank : n, 0), rank);
  return wholes(x.shape.slice(clamp(int(call, "start", 0)), clamp(int(call, "end", rank))));
}

function constantOfShape(call: Call): Value {
  const size = numbers(call, 0)!;
  const value = call.attributes.get("value")?.t;
  const from = value === undefined ? g.scalar(0) : call.constant(value);
  return g.expand(g.reshape(from, []), size);
}

function constant(call: Call): Value {
  const { attributes } = call;
  const tensor = attributes.get("value")?.t;
  if (tensor !== undefined) return call.constant(tensor);
  if (attributes.has("value_float")) return g.scalar(real(call, "value_float", 0));
  if (attributes.has("value_int")) return g.scalar(int(call, "value_int", 0), "int64");
  if (attributes.has("value_ints")) return wholes(ints(call, "value_ints")!);
  const list = attributes.get("value_floats")?.floats;
  if (list !== undefined) return filled("float32", [list.length], (i) => list[i]!);
  return call.refuse(`a constant written as ${[...attributes.keys()].join(", ")}`);
}

function sequence(call: Call): Value {
  const [start, limit, delta] = [0, 1, 2].map((i) => numberOf(call, i)!) as [
    number,
    number,
    number,
  ];
  const n = Math.max(0, Math.ceil((limit - start) / delta));
  return filled(arg(call, 0).dtype, [n], (i) => start + i * delta);
}

function eye(x: Value, call: Call): Value {
  const type = call.attributes.has("dtype") ? dtypeOfElement(int(call, "dtype", 1)) : x.dtype;
  const [, columns] = x.shape as [number, number];
  const k = int(call, "k", 0);
  const dtype = type === "float16" || type === "bfloat16" ? "float32" : type;
  return filled(dtype ?? call.refuse("a type"), x.shape, (i) =>
    Number((i % columns) - Math.floor(i / columns) === k),
  );
}

/** Turns round the first `lengths[b]` places of each line. */
function reverseSequence(call: Call): Value {
  const [x, lengths] = [arg(call, 0), arg(call, 1)];
  const [batch, time] = [int(call, "batch_axis", 1), int(call, "time_axis", 0)];
  const n = x.shape[time]!;
  const axis = (of: number) => x.shape.map((m, i) => (i === of ? m : 1));
  const places = g.expand(wholes(range(n), axis(time)), x.shape);
  const wide = g.expand(g.reshape(g.cast(lengths, "int64"), axis(batch)), x.shape);
  const turned = g.sub(g.sub(wide, 1), places);
  return g.takeAlong(x, g.where(g.less(places, wide), turned, places), { axis: time });
}

function centerCropPad(x: Value, call: Call): Value {
  const axes = ints(call, "axes") ?? range(x.shape.length);
  const wanted = numbers(call, 1)!;
  return axes.reduce((out, given, i) => {
    const axis = axisIn(call, x.shape.length, given);
    const [n, m] = [out.shape[axis]!, wanted[i]!];
    if (n >= m) {
      const start = Math.floor((n - m) / 2);
      return g.slice(out, { axis, start, end: start + m });
    }
    const before = Math.floor((m - n) / 2);
    return padConstant(
      out,
      out.shape.map((_, j) => (j === axis ? [before, m - n - before] : [0, 0])),
      0,
    );
  }, x);
}

export const layout: readonly OnnxOp[] = [
  unary("Reshape", everything, reshape),
  unary("Flatten", everything, flatten),
  unary("Squeeze", everything, squeeze),
  unary("Unsqueeze", everything, unsqueeze),
  unary("Transpose", everything, transpose),
  entry("Concat", everything, concat),
  entry("Split", everything, split),
  entry("Slice", everything, slice),
  unary("Tile", everything, tile),
  unary("Expand", everything, expand),
  unary("Pad", everything, pad),
  unary("DepthToSpace", numeric, depthToSpace),
  unary("SpaceToDepth", numeric, spaceToDepth),
  unary("Trilu", everything, trilu),
  unary("Shape", everything, shape),
  unary("Size", everything, (x) => g.scalar(sizeOf(x.shape), "int64")),
  entry("ConstantOfShape", ["int64"], constantOfShape),
  entry("Constant", everything, constant),
  entry("Range", [...floats, ...integers], sequence),
  unary("EyeLike", everything, eye),
  entry("ReverseSequence", everything, reverseSequence),
  unary("CenterCropPad", everything, centerCropPad),
];
