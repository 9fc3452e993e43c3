// Operators that rescale: by batch, instance, group, layer, neighbours.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { arg, axisIn, type Call, flag, int, type OnnxOp, real } from "./call.ts";
import { entry, f32only, floats, range, unary } from "./entries.ts";
import { perChannel } from "./pieces.ts";

const keep = (axes: readonly number[]) => ({ axes, keepDims: true });

function batchNormalization(call: Call): Value[] {
  const x = arg(call, 0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => arg(call, i)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const eps = real(call, "epsilon", 1e-5);
  const rescale = (centre: Value, spread: Value) => {
    const factor = g.mul(scale, g.rsqrt(g.add(spread, eps)));
    // One product and one sum an element; both factors are one number a channel.
    const shift = g.sub(bias, g.mul(centre, factor));
    return g.add(g.mul(x, perChannel(factor, x)), perChannel(shift, x));
  };
  if (!flag(call, "training_mode")) {
    if (call.opset < 7 && !flag(call, "is_test")) call.refuse("training");
    return [rescale(mean, variance)];
  }
  const axes = range(x.shape.length).filter((axis) => axis !== 1);
  const own = g.mean(x, { axes });
  const off = g.sub(x, perChannel(own, x));
  const spread = g.mean(g.square(off), { axes });
  const momentum = real(call, "momentum", 0.9);
  const running = (old: Value, now: Value) => g.add(g.mul(old, momentum), g.mul(now, 1 - momentum));
  return [rescale(own, spread), running(mean, own), running(variance, spread)];
}

/** (x − mean) / √(variance + eps) over axes. */
function standard(x: Value, axes: readonly number[], eps: number) {
  const mean = g.mean(x, keep(axes));
  const off = g.sub(x, mean);
  const scale = g.rsqrt(g.add(g.mean(g.square(off), keep(axes)), eps));
  return { out: g.mul(off, scale), mean, scale };
}

function instanceNormalization(call: Call): Value {
  const x = arg(call, 0);
  const { out } = standard(x, range(x.shape.length).slice(2), real(call, "epsilon", 1e-5));
  return g.add(g.mul(out, perChannel(arg(call, 1), x)), perChannel(arg(call, 2), x));
}

function groupNormalization(call: Call): Value {
  const x = arg(call, 0);
  const groups = int(call, "num_groups", 1);
  const [batch, channels] = x.shape as [number, number];
  const { out } = standard(g.reshape(x, [batch, groups, -1]), [2], real(call, "epsilon", 1e-5));
  // Up to opset 20 there was one scale a group.
  const wide = (v: Value) => {
    if (v.shape[0] === channels) return perChannel(v, x);
    const each = g.expand(g.reshape(v, [groups, 1]), [groups, channels / groups]);
    return perChannel(g.reshape(each, [channels]), x);
  };
  return g.add(g.mul(g.reshape(out, x.shape), wide(arg(call, 1))), wide(arg(call, 2)));
}

function layerNormalization(call: Call): Value[] {
  const [x, scale, bias] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const axis = axisIn(call, x.shape.length, int(call, "axis", -1));
  const eps = real(call, "epsilon", 1e-5);
  const last = axis === x.shape.length - 1;
  if (call.outputs < 2 && last && scale.shape.length === 1 && (bias?.shape.length ?? 1) === 1)
    return [g.layerNorm(x, { weight: scale, bias, eps })];
  const { out, mean, scale: inverse } = standard(x, range(x.shape.length).slice(axis), eps);
  const scaled = g.mul(out, scale);
  return [bias === undefined ? scaled : g.add(scaled, bias), mean, inverse];
}

export function rmsNormalization(call: Call): Value[] {
  const [x, scale] = [arg(call, 0), arg(call, 1)];
  const axis = axisIn(call, x.shape.length, int(call, "axis", -1));
  const eps = real(call, "epsilon", 1e-5);
  if (call.outputs < 2 && axis === x.shape.length - 1 && scale.shape.length === 1)
    return [g.rmsNorm(x, { weight: scale, eps })];
  const axes = range(x.shape.length).slice(axis);
  const inverse = g.rsqrt(g.add(g.mean(g.square(x), keep(axes)), eps));
  return [g.mul(g.mul(x, inverse), scale), inverse];
}

/** Local response: each channel beside the squares of its neighbours (Krizhevsky et al. 2012). */
function lrn(x: Value, call: Call): Value {
  const size = int(call, "size", 1);
  const before = Math.floor((size - 1) / 2);
  const [batch, channels, ...image] = x.shape as [number, number, ...number[]];
  const lines = g.reshape(g.square(x), [batch, 1, channels, sizeOf(image)]);
  const padded = g.pad(lines, [
    [0, 0],
    [0, 0],
    [before, size - 1 - before],
    [0, 0],
  ]);
  const total = range(size)
    .map((i) => g.slice(padded, { axis: 2, start: i, end: i + channels }))
    .reduce((a, b) => g.add(a, b));
  const share = g.mul(g.reshape(total, x.shape), real(call, "alpha", 1e-4) / size);
  return g.div(x, g.pow(g.add(share, real(call, "bias", 1)), real(call, "beta", 0.75)));
}

export const normalizations: readonly OnnxOp[] = [
  entry("BatchNormalization", floats, batchNormalization),
  entry("InstanceNormalization", f32only, instanceNormalization),
  entry("GroupNormalization", f32only, groupNormalization, { since: 18 }),
  entry("LayerNormalization", floats, layerNormalization),
  entry("RMSNormalization", floats, rmsNormalization),
  // ONNX Runtime's own, which exporters write into the standard domain.
  entry("SimplifiedLayerNormalization", floats, rmsNormalization),
  unary("LRN", f32only, lrn),
];
