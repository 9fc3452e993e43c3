// Convolution over any number of axes, its transpose, and the gradient of its kernel: each other's gradients.
import { check } from "../../base/errors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { defineOp, type Maker, type Spec } from "../op.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { reshape } from "./broadcast.ts";
import {
  checkWindow,
  placesOf,
  restOf,
  tapsOf,
  type Window,
  type WindowOptions,
  windowAttributes,
  windowOf,
} from "./window.ts";

interface ConvAttrs extends Window {
  /** Channels are split into so many groups, which do not see each other. */
  groups: number;
}

interface Sizes {
  /** [batch, in, ...image] */
  x: readonly number[];
  /** [out, in / groups, ...kernel] */
  w: readonly number[];
  /** [batch, out, ...places] */
  y: readonly number[];
  attrs: ConvAttrs;
}

function checkFloats(op: string, inputs: readonly Value[]): void {
  check(
    inputs.every(({ dtype }) => isFloat(dtype) && dtype === inputs[0]!.dtype),
    "dtype/mismatch",
    `${op}: not floats of one dtype`,
    { got: showSpecs(inputs), wanted: "one float dtype" },
  );
}

function plainAttrs({ stride, dilation, before, after, groups }: ConvAttrs): ConvAttrs {
  return { stride, dilation, before, after, groups };
}

const makeConv: Maker<ConvAttrs> = defineOp<ConvAttrs>({
  name: "conv",
  infer: (inputs, attrs): Spec => {
    const [x, w] = inputs as [Value, Value];
    checkFloats("conv", inputs);
    const { groups } = attrs;
    check(
      x.shape.length > 2 &&
        w.shape.length === x.shape.length &&
        x.shape[1] === w.shape[1]! * groups &&
        w.shape[0]! % groups === 0,
      "shape/conv",
      "conv: channels differ",
      {
        got: `${showSpecs(inputs)}, groups ${groups}`,
        wanted: "x [batch, in, ...image], kernel [out, in / groups, ...kernel]",
      },
    );
    checkWindow("conv", x, w.shape.slice(2), attrs);
    const places = placesOf(x.shape.slice(2), w.shape.slice(2), attrs);
    return { shape: [x.shape[0]!, w.shape[0]!, ...places], dtype: x.dtype };
  },
  vjp: (grad, { inputs: [x, w], attrs }) => [
    makeConvTransposed([grad, w!], { ...plainAttrs(attrs), size: x!.shape.slice(2) }),
    makeConvKernel([x!, grad], { ...plainAttrs(attrs), kernel: w!.shape.slice(2) }),
  ],
  lower: (to, { inputs, attrs }, names) =>
    to.node("Conv", names, {
      attributes: {
        ...windowAttributes(attrs, inputs[1]!.shape.slice(2)),
        group: attrs.groups,
      },
    }),
  reference: ([x, w], { inputs, shape, attrs }) => {
    const y = new Float64Array(sizeOf(shape));
    forEachTap({ x: inputs[0]!.shape, w: inputs[1]!.shape, y: shape, attrs }, (i, j, k) => {
      y[k]! += x![i]! * w![j]!;
    });
    return y;
  },
});

/** Gradient of the image; `size` is the image's axes. */
type TransposedAttrs = ConvAttrs & { size: readonly number[] };

const makeConvTransposed: Maker<TransposedAttrs> = defineOp<TransposedAttrs>({
  name: "convTransposed",
  infer: (inputs, attrs) => {
    const [y, w] = inputs as [Value, Value];
    checkFloats("convTranspose", inputs);
    const { groups, size } = attrs;
    const fits =
      y.shape.length > 2 &&
      w.shape.length === y.shape.length &&
      y.shape[1] === w.shape[0] &&
      w.shape[0]! % groups === 0;
    check(fits, "shape/conv", "convTranspose: channels differ", {
      got: `${showSpecs(inputs)}, groups ${groups}`,
      wanted: "x [batch, in, ...places], kernel [in, out / groups, ...kernel]",
    });
    const rest = restOf(size, y.shape.slice(2), w.shape.slice(2), attrs);
    const reached = rest.every((n, i) => n >= 0 && n < attrs.stride[i]!);
    check(reached, "shape/window", "convTranspose: no image of that size has so many places", {
      got: `${showSpecs(inputs)}, size ${size}`,
      wanted: "what is left over is smaller than the stride",
    });
    return { shape: [y.shape[0]!, w.shape[1]! * groups, ...size], dtype: y.dtype };
  },
  vjp: (grad, { inputs: [y, w], attrs }) => [
    makeConv([grad, w!], plainAttrs(attrs)),
    makeConvKernel([grad, y!], { ...plainAttrs(attrs), kernel: w!.shape.slice(2) }),
  ],
  lower: (to, { inputs: [y, w], attrs }, names) => {
    const kernel = w!.shape.slice(2);
    return to.node("ConvTranspose", names, {
      attributes: {
        ...windowAttributes(attrs, kernel),
        group: attrs.groups,
        output_padding: restOf(attrs.size, y!.shape.slice(2), kernel, attrs),
      },
    });
  },
  reference: ([y, w], { inputs, shape, attrs }) => {
    const x = new Float64Array(sizeOf(shape));
    forEachTap({ x: shape, w: inputs[1]!.shape, y: inputs[0]!.shape, attrs }, (i, j, k) => {
      x[i]! += y![k]! * w![j]!;
    });
    return x;
  },
});

type KernelAttrs = ConvAttrs & { kernel: readonly number[] };

/** Gradient of the kernel: the image convolved with the gradient, batch and channels swapped. */
const makeConvKernel: Maker<KernelAttrs> = defineOp<KernelAttrs>({
  name: "convKernel",
  infer: ([x, y], { kernel, groups }) => ({
    shape: [y!.shape[1]!, x!.shape[1]! / groups, ...kernel],
    dtype: x!.dtype,
  }),
  vjp: (grad, { inputs: [x, y], attrs }) => [
    makeConvTransposed([y!, grad], { ...plainAttrs(attrs), size: x!.shape.slice(2) }),
    makeConv([x!, grad], plainAttrs(attrs)),
  ],
  lower: (to, { inputs: [x, y], attrs }, names) => {
    const { stride, dilation, before, after, groups, kernel } = attrs;
    const [batch, channels, ...image] = x!.shape as [number, number, ...number[]];
    const rank = x!.shape.length;
    const swap = (name: string) => {
      const perm = Array.from({ length: rank }, (_, i) => (i === 0 ? 1 : i === 1 ? 0 : i));
      return to.node("Transpose", [name], { attributes: { perm } });
    };
    // [batch, groups · in, ...] → [in, groups · batch, ...]: each group's batch is its channels.
    const grouped = () => {
      const inside = channels / groups;
      const split = to.node("Reshape", [names[0]!, to.ints([batch, groups, inside, ...image])]);
      const perm = [2, 1, 0, ...image.map((_, i) => i + 3)];
      const turned = to.node("Transpose", [split], { attributes: { perm } });
      return to.node("Reshape", [turned, to.ints([inside, groups * batch, ...image])]);
    };
    const full = to.node("Conv", [groups === 1 ? swap(names[0]!) : grouped(), swap(names[1]!)], {
      attributes: {
        kernel_shape: y!.shape.slice(2),
        dilations: [...stride],
        strides: [...dilation],
        pads: [...before, ...after],
        group: groups,
      },
    });
    // A stride can leave places at the end that no kernel weight saw.
    const axes = kernel.map((_, i) => i + 2);
    const zeros = kernel.map(() => 0);
    return swap(to.node("Slice", [full, to.ints(zeros), to.ints(kernel), to.ints(axes)]));
  },
  reference: ([x, y], { inputs, shape, attrs }) => {
    const w = new Float64Array(sizeOf(shape));
    forEachTap({ x: inputs[0]!.shape, w: shape, y: inputs[1]!.shape, attrs }, (i, j, k) => {
      w[j]! += x![i]! * y![k]!;
    });
    return w;
  },
});

export interface ConvOptions extends WindowOptions {
  /** [out] */
  bias?: Value;
  groups?: number;
}

/** x [batch, in, ...image], kernel [out, in / groups, ...kernel] → [batch, out, ...places]. */
export function conv(x: Value, kernel: Value, options: ConvOptions = {}): Value {
  const { groups = 1, bias } = options;
  const out = makeConv([x, kernel], { ...windowOf(kernel.shape.length - 2, options), groups });
  return withBias(out, bias);
}

/** `conv` of images with two axes: x [batch, in, rows, columns]. */
export function conv2d(x: Value, kernel: Value, options: ConvOptions = {}): Value {
  check(
    x.shape.length === 4 && kernel.shape.length === 4,
    "shape/conv",
    "conv2d: not images with two axes",
    { got: showSpecs([x, kernel]), wanted: "x [batch, in, h, w], kernel [out, in, h, w]" },
  );
  return conv(x, kernel, options);
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Axes of the result; where left out, the smallest that fit. */
  size?: readonly number[];
}

/** The transpose of `conv`: x [batch, in, ...places], kernel [in, out / groups, ...kernel]. */
export function convTranspose(x: Value, kernel: Value, options: ConvTransposeOptions = {}): Value {
  const { groups = 1, bias } = options;
  const window = windowOf(kernel.shape.length - 2, options);
  const shortest = x.shape.slice(2).map(() => 0);
  const size =
    options.size ??
    restOf(shortest, x.shape.slice(2), kernel.shape.slice(2), window).map((n) => -n);
  return withBias(makeConvTransposed([x, kernel], { ...window, groups, size }), bias);
}

function withBias(out: Value, bias?: Value): Value {
  if (bias === undefined) return out;
  return add(out, reshape(bias, [bias.shape[0]!, ...out.shape.slice(2).map(() => 1)]));
}

/** For references: every (image, kernel, result) triple of flat indices that meet. */
function forEachTap(
  { x, w, y, attrs }: Sizes,
  visit: (i: number, j: number, k: number) => void,
): void {
  const taps = tapsOf(x.slice(2), w.slice(2), y.slice(2), attrs);
  const [batch, channels, ...image] = x as [number, number, ...number[]];
  const [out, inside, ...kernel] = w as [number, number, ...number[]];
  const [images, kernels, results] = [sizeOf(image), sizeOf(kernel), sizeOf(y.slice(2))];
  const perGroup = out / attrs.groups;
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < out; o++)
      for (let c = 0; c < inside; c++) {
        const from = (b * channels + Math.floor(o / perGroup) * inside + c) * images;
        const at = (o * inside + c) * kernels;
        const into = (b * out + o) * results;
        for (let t = 0; t < taps.image.length; t++)
          visit(from + taps.image[t]!, at + taps.kernel[t]!, into + taps.result[t]!);
      }
}
