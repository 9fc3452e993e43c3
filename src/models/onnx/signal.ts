// Windows and Fourier transforms.

import { dtypeOfElement } from "../../formats/onnx/tensor.ts";
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { arg, axisIn, type Call, flag, int, numberOf, type OnnxOp } from "./call.ts";
import { entry, filled, floats, integers, range } from "./entries.ts";
import { mapAxis } from "./pieces.ts";

function windowOf(of: (turn: number) => number) {
  return (call: Call): Value => {
    const n = numberOf(call, 0)!;
    const period = flag(call, "periodic", true) ? n : n - 1;
    const dtype = dtypeOfElement(int(call, "output_datatype", 1));
    if (dtype !== "float32" && dtype !== "float64") return call.refuse("a window of another type");
    return filled(dtype, [n], (i) => of((2 * Math.PI * i) / period));
  };
}

/** A transform is a product with sines and cosines along its axis; the last axis is [re, im]. */
function dft(call: Call): Value {
  const x = arg(call, 0);
  const given = call.opset >= 20 ? call.inputs[2] && numberOf(call, 2) : int(call, "axis", 1);
  const axis = axisIn(call, x.shape.length, given ?? -2);
  const [inverse, onesided] = [flag(call, "inverse"), flag(call, "onesided")];
  const whole = inverse && onesided ? 2 * (x.shape[axis]! - 1) : x.shape[axis]!;
  const n = (call.inputs[1] && numberOf(call, 1)) ?? whole;
  const used = inverse && onesided ? Math.floor(n / 2) + 1 : n;
  const fitted = cutOrFill(x, axis, used);
  const last = x.shape.length - 1;
  const part = (i: number) => g.slice(fitted, { axis: last, start: i, end: i + 1 });
  const real = part(0);
  const imaginary = x.shape[last] === 2 ? part(1) : undefined;
  const places = onesided && !inverse ? Math.floor(n / 2) + 1 : n;
  const sign = inverse ? 1 : -1;
  const scale = inverse ? 1 / n : 1;
  // A one-sided spectrum stands for its mirror image, too.
  const twice = (j: number) => (inverse && onesided && j > 0 && 2 * j !== n ? 2 : 1);
  const turn = (i: number, j: number) => (2 * Math.PI * ((i * j) % n)) / n;
  const by = (v: Value, of: (x: number) => number, factor: number) =>
    mapAxis(v, axis, places, (i, j) => factor * scale * twice(j) * of(turn(i, j)));
  const cosReal = by(real, Math.cos, 1);
  const outReal =
    imaginary === undefined ? cosReal : g.add(cosReal, by(imaginary, Math.sin, -sign));
  if (inverse && onesided) return outReal;
  const sinReal = by(real, Math.sin, sign);
  const outImaginary =
    imaginary === undefined ? sinReal : g.add(sinReal, by(imaginary, Math.cos, 1));
  return g.concat([outReal, outImaginary], { axis: last });
}

/** Cuts an axis, or fills it up with zeros. */
function cutOrFill(x: Value, axis: number, n: number): Value {
  const cut = x.shape[axis]! > n ? g.slice(x, { axis, end: n }) : x;
  return g.pad(
    cut,
    range(x.shape.length).map((i) => [0, i === axis ? n - cut.shape[axis]! : 0]),
  );
}

export const signals: readonly OnnxOp[] = [
  entry(
    "HannWindow",
    integers,
    windowOf((t) => 0.5 - 0.5 * Math.cos(t)),
  ),
  entry(
    "HammingWindow",
    integers,
    windowOf((t) => 25 / 46 - (21 / 46) * Math.cos(t)),
  ),
  entry(
    "BlackmanWindow",
    integers,
    windowOf((t) => 0.42 - 0.5 * Math.cos(t) + 0.08 * Math.cos(2 * t)),
  ),
  entry("DFT", floats, dft),
];
