// Convolution and pooling: ONNX's paddings into ours.
import * as g from "../../graph/index.ts";
import { spanOf } from "../../graph/ops/window.ts";
import type { Value } from "../../graph/value.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { arg, type Call, flag, int, ints, numbers, type OnnxOp, text } from "./call.ts";
import { entry, f32only, filled, floats, range, unary } from "./entries.ts";
import { perChannel } from "./pieces.ts";

interface Frame {
  stride: number[];
  dilation: number[];
  padding: number[];
  paddingAfter: number[];
}

/** Strides, dilations and the padding that `pads` or `auto_pad` ask for. */
function frameOf(call: Call, image: readonly number[], kernel: readonly number[]): Frame {
  const ones = image.map(() => 1);
  const stride = ints(call, "strides") ?? ones;
  const dilation = ints(call, "dilations") ?? ones;
  const auto = text(call, "auto_pad", "NOTSET");
  if (auto === "NOTSET" || auto === "VALID") {
    const pads =
      (auto === "NOTSET" ? ints(call, "pads") : undefined) ?? [...ones, ...ones].map(() => 0);
    const rank = image.length;
    return { stride, dilation, padding: pads.slice(0, rank), paddingAfter: pads.slice(rank) };
  }
  if (auto !== "SAME_UPPER" && auto !== "SAME_LOWER") call.refuse(`auto_pad ${auto}`);
  const total = image.map((n, i) => {
    const places = Math.ceil(n / stride[i]!);
    return Math.max(0, (places - 1) * stride[i]! + spanOf(kernel[i]!, dilation[i]!) - n);
  });
  const less = total.map((n) => Math.floor(n / 2));
  const more = total.map((n) => Math.ceil(n / 2));
  const lower = auto === "SAME_LOWER";
  return { stride, dilation, padding: lower ? more : less, paddingAfter: lower ? less : more };
}

export function conv(call: Call): Value {
  const [x, kernel, bias] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const frame = frameOf(call, x.shape.slice(2), kernel.shape.slice(2));
  return g.conv(x, kernel, { ...frame, groups: int(call, "group", 1), bias });
}

function convTranspose(call: Call): Value {
  const [x, kernel, bias] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const places = x.shape.slice(2);
  const ones = places.map(() => 1);
  const stride = ints(call, "strides") ?? ones;
  const dilation = ints(call, "dilations") ?? ones;
  const extra = ints(call, "output_padding") ?? places.map(() => 0);
  const auto = text(call, "auto_pad", "NOTSET");
  const full = places.map(
    (n, i) => stride[i]! * (n - 1) + extra[i]! + spanOf(kernel.shape[2 + i]!, dilation[i]!),
  );
  const asked = ints(call, "output_shape")?.slice(-places.length);
  const same = auto.startsWith("SAME") ? places.map((n, i) => n * stride[i]!) : undefined;
  const wanted = asked ?? same;
  const given = auto === "VALID" ? undefined : ints(call, "pads");
  const pads = given ?? [...ones, ...ones].map(() => 0);
  let padding = pads.slice(0, places.length);
  let paddingAfter = pads.slice(places.length);
  if (wanted !== undefined) {
    const total = full.map((n, i) => Math.max(0, n - wanted[i]!));
    const less = total.map((n) => Math.floor(n / 2));
    const more = total.map((n) => Math.ceil(n / 2));
    [padding, paddingAfter] = auto === "SAME_UPPER" ? [less, more] : [more, less];
  }
  const size = wanted ?? full.map((n, i) => n - padding[i]! - paddingAfter[i]!);
  const groups = int(call, "group", 1);
  // A result larger than the places reach: zeros at its end.
  const reach = full.map((n, i) => n - extra[i]! - padding[i]! - paddingAfter[i]! + stride[i]! - 1);
  const inner = size.map((n, i) => Math.min(n, reach[i]!));
  const out = g.convTranspose(x, kernel, {
    stride,
    dilation,
    padding,
    paddingAfter,
    groups,
    size: inner,
  });
  const grown = g.pad(out, [[0, 0], [0, 0], ...size.map((n, i) => [0, n - inner[i]!])]);
  return bias === undefined ? grown : g.add(grown, perChannel(bias, x));
}

interface Pool extends Frame {
  kernel: number[];
  /** The padding as it was asked for, before `ceil_mode` grew it. */
  asked: number[];
}

/** `ceil_mode` is more padding at the end, of places that do not count. */
function poolOf(call: Call, x: Value): Pool {
  const image = x.shape.slice(2);
  const kernel = ints(call, "kernel_shape") ?? call.refuse("there is no kernel_shape");
  const frame = frameOf(call, image, kernel);
  const asked = [...frame.paddingAfter];
  if (!flag(call, "ceil_mode")) return { ...frame, kernel, asked };
  const paddingAfter = asked.map((after, i) => {
    const free = image[i]! + frame.padding[i]! + after - spanOf(kernel[i]!, frame.dilation[i]!);
    const stride = frame.stride[i]!;
    let places = Math.ceil(free / stride) + 1;
    // No window starts in the padding at the end.
    if ((places - 1) * stride >= image[i]! + frame.padding[i]!) places -= 1;
    return Math.max(0, after + (places - 1) * stride - free);
  });
  return { ...frame, paddingAfter, kernel, asked };
}

function maxPool(call: Call): Value[] {
  const x = arg(call, 0);
  const { kernel, asked: _, ...frame } = poolOf(call, x);
  const values = g.maxPool(x, kernel, frame);
  if (call.outputs < 2) return [values];
  const places = g.maxPoolPlaces(x, kernel, frame);
  return [values, flag(call, "storage_order") ? columnMajor(places, x.shape.slice(2)) : places];
}

/** Flat places counted down the columns first. */
function columnMajor(places: Value, image: readonly number[]): Value {
  const plane = sizeOf(image);
  const within = g.remainder(places, plane);
  let [rest, step, out] = [within, 1, g.sub(places, within)];
  const sizes = [...image];
  // Digits of the place, the last axis first; the first axis counts by one.
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    step = sizeOf(image.slice(0, axis));
    out = g.add(out, g.mul(g.remainder(rest, sizes[axis]!), step));
    rest = g.quotient(rest, sizes[axis]!);
  }
  return out;
}

/** How many places of each window count, as a share of the kernel. */
function shares(x: Value, pool: Pool, padded: boolean): number[] {
  const perAxis = x.shape.slice(2).map((n, i) => {
    const [k, d, s, before] = [
      pool.kernel[i]!,
      pool.dilation[i]!,
      pool.stride[i]!,
      pool.padding[i]!,
    ];
    const places = Math.floor((n + before + pool.paddingAfter[i]! - spanOf(k, d)) / s) + 1;
    const [low, high] = padded ? [-before, n + pool.asked[i]!] : [0, n];
    return range(places).map(
      (y) =>
        range(k).filter((j) => y * s - before + j * d >= low && y * s - before + j * d < high)
          .length / k,
    );
  });
  return perAxis.reduce((out, axis) => out.flatMap((a) => axis.map((b) => a * b)), [1]);
}

function averagePool(x: Value, call: Call): Value {
  const pool = poolOf(call, x);
  const { kernel, asked: _, ...frame } = pool;
  const out = g.avgPool(x, kernel, frame);
  const share = shares(x, pool, flag(call, "count_include_pad"));
  if (share.every((n) => n === 1)) return out;
  return g.mul(
    out,
    filled(x.dtype, out.shape.slice(2), (i) => 1 / share[i]!),
  );
}

function lpPool(x: Value, call: Call): Value {
  const { kernel, asked: _, ...frame } = poolOf(call, x);
  const p = int(call, "p", 2);
  const total = g.mul(g.avgPool(g.pow(g.abs(x), p), kernel, frame), sizeOf(kernel));
  return g.pow(total, 1 / p);
}

const imageAxes = (x: Value) => ({ axes: range(x.shape.length).slice(2), keepDims: true });

function globalLpPool(x: Value, call: Call): Value {
  const p = int(call, "p", 2);
  return g.pow(g.sum(g.pow(g.abs(x), p), imageAxes(x)), 1 / p);
}

function maxUnpool(call: Call): Value {
  const [x, places] = [arg(call, 0), arg(call, 1)];
  const kernel = ints(call, "kernel_shape")!;
  const stride = ints(call, "strides") ?? kernel.map(() => 1);
  const pads = ints(call, "pads") ?? [...kernel, ...kernel].map(() => 0);
  const rank = kernel.length;
  const image = kernel.map(
    (k, i) => (x.shape[2 + i]! - 1) * stride[i]! - pads[i]! - pads[i + rank]! + k,
  );
  const shape = [...x.shape.slice(0, 2), ...image];
  const flat = g.scatterInto(
    g.expand(g.scalar(0, x.dtype), [sizeOf(shape)]),
    g.reshape(places, [-1]),
    g.reshape(x, [-1]),
  );
  const out = g.reshape(flat, shape);
  // Places are those of the smaller image; the rest of a larger one stays 0.
  return g.pad(
    out,
    (numbers(call, 2) ?? shape).map((n, i) => [0, n - shape[i]!]),
  );
}

/** Columns of a product back onto the image that they were cut from. */
function col2im(call: Call): Value {
  const x = arg(call, 0);
  const [image, kernel] = [numbers(call, 1)!, numbers(call, 2)!];
  const frame = frameOf(call, image, kernel);
  const [batch, , count] = x.shape as [number, number, number];
  const channels = x.shape[1]! / sizeOf(kernel);
  const places = image.map(
    (n, i) =>
      Math.floor(
        (n + frame.padding[i]! + frame.paddingAfter[i]! - spanOf(kernel[i]!, frame.dilation[i]!)) /
          frame.stride[i]!,
      ) + 1,
  );
  if (sizeOf(places) !== count) call.refuse(`${count} columns for ${sizeOf(places)} places`);
  // A transposed convolution whose kernel is the identity puts each number where it belongs.
  const taps = sizeOf(kernel);
  const identity = filled(x.dtype, [taps, 1, ...kernel], (i) =>
    Number(Math.floor(i / taps) === i % taps),
  );
  const columns = g.reshape(x, [batch * channels, taps, ...places]);
  const out = g.convTranspose(columns, identity, { ...frame, size: image });
  return g.reshape(out, [batch, channels, ...image]);
}

/** Integers are convolved as floats: exact below 2²⁴. */
function convInteger(call: Call): Value {
  const off = (i: number, zero: number) => {
    const x = g.cast(arg(call, i), "float32");
    const point = call.inputs[zero];
    if (point === undefined) return x;
    const wide = g.cast(point, "float32");
    return g.sub(
      x,
      wide.shape.length === 1 && wide.shape[0] !== 1
        ? g.reshape(wide, [-1, 1, 1, 1])
        : g.reshape(wide, []),
    );
  };
  const [x, kernel] = [off(0, 2), off(1, 3)];
  const frame = frameOf(call, x.shape.slice(2), kernel.shape.slice(2));
  return g.cast(g.conv(x, kernel, { ...frame, groups: int(call, "group", 1) }), "int32");
}

export const convolutions: readonly OnnxOp[] = [
  entry("Conv", f32only, conv),
  entry("ConvTranspose", f32only, convTranspose),
  entry("ConvInteger", ["uint8"], convInteger),
  entry("MaxPool", [...floats, "uint8"], maxPool),
  unary("AveragePool", f32only, averagePool),
  unary("LpPool", f32only, lpPool),
  unary("GlobalAveragePool", f32only, (x) => g.mean(x, imageAxes(x))),
  unary("GlobalMaxPool", f32only, (x) => g.max(x, imageAxes(x))),
  unary("GlobalLpPool", f32only, globalLpPool),
  entry("MaxUnpool", f32only, maxUnpool),
  entry("Col2Im", f32only, col2im),
];
