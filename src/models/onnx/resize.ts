// Resize and Upsample: every axis is a linear map of its places, which is known beforehand.

import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import {
  arg,
  axisIn,
  type Call,
  flag,
  ints,
  numbers,
  type OnnxOp,
  real,
  reals,
  text,
} from "./call.ts";
import { entry, floats, range } from "./entries.ts";
import { mapAxis, pick } from "./pieces.ts";

interface Axis {
  axis: number;
  from: number;
  to: number;
  scale: number;
  /** The part of the axis that `tf_crop_and_resize` looks at. */
  roi: readonly [number, number];
}

/** Where place `x` of the result lies on the axis. */
function coordinate(mode: string, x: number, { from, to, scale, roi }: Axis, call: Call): number {
  const half = (x + 0.5) / scale - 0.5;
  const exact = from * scale;
  if (mode === "half_pixel") return half;
  if (mode === "pytorch_half_pixel") return to > 1 ? half : 0;
  if (mode === "asymmetric") return x / scale;
  if (mode === "align_corners") return exact === 1 ? 0 : (x * (from - 1)) / (exact - 1);
  if (mode === "tf_half_pixel_for_nn") return (x + 0.5) / scale;
  if (mode === "half_pixel_symmetric") return (from / 2) * (1 - to / exact) + half;
  if (mode !== "tf_crop_and_resize") return call.refuse(`the coordinates ${mode}`);
  const [start, end] = roi;
  if (to > 1) return start * (from - 1) + (x * (end - start) * (from - 1)) / (to - 1);
  return 0.5 * (start + end) * (from - 1);
}

function nearest(mode: string, x: number, call: Call): number {
  if (mode === "round_prefer_floor") return Math.ceil(x - 0.5);
  if (mode === "round_prefer_ceil") return Math.floor(x + 0.5);
  if (mode === "floor") return Math.floor(x);
  return mode === "ceil" ? Math.ceil(x) : call.refuse(`the nearest by ${mode}`);
}

/** Keys' kernel (1981) at distance `d`. */
function cubicAt(d: number, a: number): number {
  const x = Math.abs(d);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

interface Kernel {
  /** Places on each side. */
  reach: number;
  at: (distance: number) => number;
}

function kernelOf(call: Call, mode: string, scale: number): Kernel {
  const slow = flag(call, "antialias") ? Math.min(scale, 1) : 1;
  const a = real(call, "cubic_coeff_a", -0.75);
  if (mode === "linear" || mode === "bilinear")
    return { reach: Math.ceil(1 / slow), at: (d) => Math.max(0, 1 - Math.abs(d * slow)) };
  if (mode === "cubic") return { reach: Math.ceil(2 / slow), at: (d) => cubicAt(d * slow, a) };
  return call.refuse(`the mode ${mode}`);
}

/** Weights of the places of the axis for place `x` of the result. */
function weightsAt(
  at: number,
  from: number,
  kernel: Kernel,
  outside: boolean,
): Map<number, number> {
  // Its left neighbour is strictly on the left.
  const base = Math.ceil(at) - 1;
  const places = range(2 * kernel.reach).map((i) => base - kernel.reach + 1 + i);
  const given = places.map((p) => (outside && (p < 0 || p >= from) ? 0 : kernel.at(at - p)));
  const total = given.reduce((a, b) => a + b, 0);
  const weights = new Map<number, number>();
  places.forEach((p, i) => {
    const inside = Math.min(Math.max(p, 0), from - 1);
    weights.set(inside, (weights.get(inside) ?? 0) + given[i]! / total);
  });
  return weights;
}

function resizeAxis(x: Value, one: Axis, mode: string, call: Call): Value {
  const coordinates = text(
    call,
    "coordinate_transformation_mode",
    call.op === "Upsample" || call.opset < 11 ? "asymmetric" : "half_pixel",
  );
  const { axis, from, to, scale } = one;
  const at = range(to).map((i) => coordinate(coordinates, i, one, call));
  const crop = coordinates === "tf_crop_and_resize";
  const off = at.map((c) => crop && (c < 0 || c > from - 1));
  let out: Value;
  if (mode === "nearest") {
    const how = text(call, "nearest_mode", call.opset < 11 ? "floor" : "round_prefer_floor");
    out = pick(
      x,
      axis,
      at.map((c) => Math.min(Math.max(nearest(how, c, call), 0), from - 1)),
    );
  } else {
    const kernel = kernelOf(call, mode, scale);
    const outside = flag(call, "exclude_outside");
    const rows = at.map((c) => weightsAt(c, from, kernel, outside));
    out = mapAxis(x, axis, to, (i, j) => rows[i]!.get(j) ?? 0);
  }
  if (!off.includes(true)) return out;
  const shape = out.shape.map((n, i) => (i === axis ? n : 1));
  const mask = g.constant({ dtype: "bool", shape, data: Uint8Array.from(off, Number) });
  return g.where(mask, real(call, "extrapolation_value", 0), out);
}

/** Scales or sizes, of all axes or of some. */
function axesOf(x: Value, call: Call): Axis[] {
  const rank = x.shape.length;
  const axes = (ints(call, "axes") ?? range(rank)).map((axis) => axisIn(call, rank, axis));
  const old = call.op === "Upsample" || call.opset < 11;
  const scales = reals(call, "scales") ?? numbers(call, old ? 1 : 2);
  const sizes = old ? undefined : numbers(call, 3);
  const roi = old ? undefined : numbers(call, 1);
  const roiOf = (i: number): [number, number] => [roi?.[i] ?? 0, roi?.[i + axes.length] ?? 1];
  if (sizes === undefined || sizes.length === 0) {
    if (scales === undefined || scales.length !== axes.length)
      return call.refuse("there is no scale for each axis");
    return axes.map((axis, i) => {
      const from = x.shape[axis]!;
      return { axis, from, to: Math.floor(from * scales[i]!), scale: scales[i]!, roi: roiOf(i) };
    });
  }
  const policy = text(call, "keep_aspect_ratio_policy", "stretch");
  const ratios = axes.map((axis, i) => sizes[i]! / x.shape[axis]!);
  const one = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map((axis, i) => {
    const from = x.shape[axis]!;
    if (policy === "stretch")
      return { axis, from, to: sizes[i]!, scale: ratios[i]!, roi: roiOf(i) };
    return { axis, from, to: Math.floor(one * from + 0.5), scale: one, roi: roiOf(i) };
  });
}

function resize(call: Call): Value {
  const x = arg(call, 0);
  const mode = text(call, "mode", "nearest");
  const crop = text(call, "coordinate_transformation_mode", "") === "tf_crop_and_resize";
  return axesOf(x, call)
    .filter(({ from, to, scale }) => crop || from !== to || scale !== 1)
    .reduce((out, axis) => resizeAxis(out, axis, mode, call), x);
}

export const resizing: readonly OnnxOp[] = [
  entry("Resize", floats, resize, { since: 10 }),
  entry("Upsample", floats, resize, { since: 7 }),
];
