// Two-dimensional convolution, its transpose, and the gradient of its kernel: each other's gradients.
import { check } from "../../base/errors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { defineOp, type Maker, type Spec } from "../op.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { reshape } from "./broadcast.ts";

export type Two = readonly [number, number];

export interface Window {
  /** Rows, columns: how far the kernel moves. */
  stride: Two;
  /** Rows, columns: zeros added on both sides. */
  padding: Two;
}

interface Sizes {
  /** [batch, in, rows, columns] */
  x: readonly number[];
  /** [out, in, rows, columns] */
  w: readonly number[];
  /** [batch, out, rows, columns] */
  y: readonly number[];
  window: Window;
}

/** Places of the window along one axis. */
export function places(n: number, kernel: number, stride: number, padding: number): number {
  return Math.floor((n + 2 * padding - kernel) / stride) + 1;
}

export function checkWindow(op: string, x: Value, kernel: Two, { stride, padding }: Window): void {
  const rows = x.shape.slice(2);
  const whole = [...kernel, ...stride].every((n) => Number.isInteger(n) && n > 0);
  const fits = rows.every((n, i) => kernel[i]! <= n + 2 * padding[i]! && padding[i]! >= 0);
  check(x.shape.length === 4 && whole && fits, "shape/window", `${op}: the window does not fit`, {
    got: `${showSpecs([x])}, kernel ${kernel}, stride ${stride}, padding ${padding}`,
    wanted: "x [batch, channels, rows, columns], a kernel within the padded image",
  });
}

function attributes({ stride, padding }: Window, kernel: readonly number[]) {
  return {
    kernel_shape: kernel.slice(-2),
    strides: [...stride],
    pads: [...padding, ...padding],
  };
}

function checkFloats(op: string, inputs: readonly Value[]): void {
  check(
    inputs.every(({ dtype }) => isFloat(dtype) && dtype === inputs[0]!.dtype),
    "dtype/mismatch",
    `${op}: not floats of one dtype`,
    { got: showSpecs(inputs), wanted: "one float dtype" },
  );
}

const makeConv: Maker<Window> = defineOp<Window>({
  name: "conv2d",
  infer: (inputs, window): Spec => {
    const [x, w] = inputs as [Value, Value];
    checkFloats("conv2d", inputs);
    check(
      x.shape.length === 4 && w.shape.length === 4 && x.shape[1] === w.shape[1],
      "shape/conv",
      "conv2d: channels differ",
      { got: showSpecs(inputs), wanted: "x [batch, in, h, w], kernel [out, in, h, w]" },
    );
    checkWindow("conv2d", x, w.shape.slice(2) as unknown as Two, window);
    const { stride, padding } = window;
    const size = (i: 0 | 1) => places(x.shape[2 + i]!, w.shape[2 + i]!, stride[i], padding[i]);
    return { shape: [x.shape[0]!, w.shape[0]!, size(0), size(1)], dtype: x.dtype };
  },
  vjp: (grad, { inputs: [x, w], attrs }) => [
    makeConvTransposed([grad, w!], { ...attrs, size: x!.shape.slice(2) as unknown as Two }),
    makeConvKernel([x!, grad], { ...attrs, kernel: w!.shape.slice(2) as unknown as Two }),
  ],
  lower: (to, { inputs, attrs }, names) =>
    to.node("Conv", names, { attributes: attributes(attrs, inputs[1]!.shape) }),
  reference: ([x, w], { inputs, shape, attrs }) => {
    const y = new Float64Array(sizeOf(shape));
    const sizes = { x: inputs[0]!.shape, w: inputs[1]!.shape, y: shape, window: attrs };
    forEachTap(sizes, (i, j, k) => {
      y[k]! += x![i]! * w![j]!;
    });
    return y;
  },
});

/** Gradient of the image; `size` is the image's [rows, columns]. */
const makeConvTransposed: Maker<Window & { size: Two }> = defineOp<Window & { size: Two }>({
  name: "convTransposed",
  infer: ([y, w], { size }) => ({
    shape: [y!.shape[0]!, w!.shape[1]!, ...size],
    dtype: y!.dtype,
  }),
  vjp: (grad, { inputs: [y, w], attrs: { stride, padding } }) => [
    makeConv([grad, w!], { stride, padding }),
    makeConvKernel([grad, y!], {
      stride,
      padding,
      kernel: w!.shape.slice(2) as unknown as Two,
    }),
  ],
  lower: (to, { inputs: [y, w], attrs }, names) => {
    const { stride, padding, size } = attrs;
    // What the stride could not reach at the end of the image.
    const rest = [0, 1].map(
      (i) => size[i]! + 2 * padding[i]! - ((y!.shape[2 + i]! - 1) * stride[i]! + w!.shape[2 + i]!),
    );
    return to.node("ConvTranspose", names, {
      attributes: { ...attributes(attrs, w!.shape), output_padding: rest },
    });
  },
  reference: ([y, w], { inputs, shape, attrs }) => {
    const x = new Float64Array(sizeOf(shape));
    const sizes = { x: shape, w: inputs[1]!.shape, y: inputs[0]!.shape, window: attrs };
    forEachTap(sizes, (i, j, k) => {
      x[i]! += y![k]! * w![j]!;
    });
    return x;
  },
});

/** Gradient of the kernel: the image convolved with the gradient, batch and channels swapped. */
const makeConvKernel: Maker<Window & { kernel: Two }> = defineOp<Window & { kernel: Two }>({
  name: "convKernel",
  infer: ([x, y], { kernel }) => ({
    shape: [y!.shape[1]!, x!.shape[1]!, ...kernel],
    dtype: x!.dtype,
  }),
  vjp: (grad, { inputs: [x, y], attrs: { stride, padding } }) => [
    makeConvTransposed([y!, grad], {
      stride,
      padding,
      size: x!.shape.slice(2) as unknown as Two,
    }),
    makeConv([x!, grad], { stride, padding }),
  ],
  lower: (to, { inputs: [, y], attrs: { stride, padding, kernel } }, names) => {
    const swap = (name: string) =>
      to.node("Transpose", [name], { attributes: { perm: [1, 0, 2, 3] } });
    const full = to.node("Conv", [swap(names[0]!), swap(names[1]!)], {
      attributes: {
        kernel_shape: y!.shape.slice(2),
        dilations: [...stride],
        pads: [...padding, ...padding],
      },
    });
    // A stride can leave places at the end that no kernel weight saw.
    const cut = to.node("Slice", [full, to.ints([0, 0]), to.ints(kernel), to.ints([2, 3])]);
    return swap(cut);
  },
  reference: ([x, y], { inputs, shape, attrs }) => {
    const w = new Float64Array(sizeOf(shape));
    const sizes = { x: inputs[0]!.shape, w: shape, y: inputs[1]!.shape, window: attrs };
    forEachTap(sizes, (i, j, k) => {
      w[j]! += x![i]! * y![k]!;
    });
    return w;
  },
});

export interface ConvOptions {
  stride?: number | Two;
  padding?: number | Two;
  /** [out] */
  bias?: Value;
}

export function two(n: number | Two): Two {
  return typeof n === "number" ? [n, n] : n;
}

/** x [batch, in, rows, columns], kernel [out, in, rows, columns] → [batch, out, rows, columns]. */
export function conv2d(
  x: Value,
  kernel: Value,
  { stride = 1, padding = 0, bias }: ConvOptions = {},
): Value {
  const out = makeConv([x, kernel], { stride: two(stride), padding: two(padding) });
  return bias === undefined ? out : add(out, reshape(bias, [bias.shape[0]!, 1, 1]));
}

/** For references: every (image, kernel, result) triple of flat indices that meet. */
function forEachTap(
  { x, w, y, window: { stride, padding } }: Sizes,
  visit: (i: number, j: number, k: number) => void,
): void {
  const [batch, channels, rows, columns] = x as [number, number, number, number];
  const [out, , kernelRows, kernelColumns] = w as [number, number, number, number];
  const [, , outRows, outColumns] = y as [number, number, number, number];
  const inside = (r: number, c: number) => r >= 0 && r < rows && c >= 0 && c < columns;
  for (let b = 0; b < batch; b++)
    for (let o = 0; o < out; o++)
      for (let yr = 0; yr < outRows; yr++)
        for (let yc = 0; yc < outColumns; yc++)
          for (let c = 0; c < channels; c++)
            for (let kr = 0; kr < kernelRows; kr++)
              for (let kc = 0; kc < kernelColumns; kc++) {
                const r = yr * stride[0] - padding[0] + kr;
                const q = yc * stride[1] - padding[1] + kc;
                if (!inside(r, q)) continue;
                visit(
                  ((b * channels + c) * rows + r) * columns + q,
                  ((o * channels + c) * kernelRows + kr) * kernelColumns + kc,
                  ((b * out + o) * outRows + yr) * outColumns + yc,
                );
              }
}
