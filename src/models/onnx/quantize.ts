// Numbers as bytes and back, for the one byte type that values have: uint8.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { arg, axisIn, type Call, has, int, type OnnxOp } from "./call.ts";
import { entry, f32only } from "./entries.ts";

/** Scales and zero points: one number, one an axis, or one a block of an axis. */
function spread(v: Value, x: Value, call: Call): Value {
  if (sizeOf(v.shape) === 1 && v.shape.length < 2) return g.reshape(v, []);
  const axis = axisIn(call, x.shape.length, int(call, "axis", 1));
  if (v.shape.length === 1)
    return g.reshape(
      v,
      x.shape.map((n, i) => (i === axis ? n : 1)),
    );
  const block = int(call, "block_size", 0);
  if (block === 0) return call.refuse("scales of several axes without blocks");
  const shape = [...v.shape.slice(0, axis + 1), block, ...v.shape.slice(axis + 1)];
  const wide = g.reshape(
    g.expand(g.unsqueeze(v, axis + 1), shape),
    v.shape.map((n, i) => (i === axis ? n * block : n)),
  );
  return g.slice(wide, { axis, end: x.shape[axis]! });
}

function dequantize(call: Call): Value {
  const [x, scale, zero] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const wide = (v: Value) => g.cast(v, scale.dtype);
  const off = zero === undefined ? wide(x) : g.sub(wide(x), spread(wide(zero), x, call));
  return g.mul(off, spread(scale, x, call));
}

/** Rounded to even, limited to a byte. */
function toByte(x: Value): Value {
  return g.cast(g.clip(x, { min: 0, max: 255 }), "uint8");
}

function quantize(call: Call): Value {
  const [x, scale, zero] = [arg(call, 0), arg(call, 1), call.inputs[2]];
  const wanted = has(call, "output_dtype") ? int(call, "output_dtype", 0) : 0;
  if ((zero !== undefined && zero.dtype !== "uint8") || (wanted !== 0 && wanted !== 2))
    call.refuse("another result than uint8");
  const rounded = g.round(g.div(x, spread(g.cast(scale, x.dtype), x, call)));
  return toByte(
    zero === undefined ? rounded : g.add(rounded, spread(g.cast(zero, x.dtype), x, call)),
  );
}

function quantizeAsFits(call: Call): Value[] {
  const x = arg(call, 0);
  const high = g.maximum(g.max(x), 0);
  const low = g.minimum(g.min(x), 0);
  const flat = g.equal(high, low);
  const scale = g.div(g.where(flat, g.scalar(1, x.dtype), g.sub(high, low)), 255);
  const zero = g.round(g.clip(g.neg(g.div(low, scale)), { min: 0, max: 255 }));
  return [toByte(g.add(g.round(g.div(x, scale)), zero)), scale, g.cast(zero, "uint8")];
}

export const quantizations: readonly OnnxOp[] = [
  entry("DequantizeLinear", ["uint8", "int32"], dequantize, { since: 10 }),
  entry("QuantizeLinear", f32only, quantize, { since: 10, limits: "results in uint8" }),
  entry("DynamicQuantizeLinear", f32only, quantizeAsFits),
];
