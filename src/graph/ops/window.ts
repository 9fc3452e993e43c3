// Where a window stands on an image of any number of axes: strides, dilation, padding, and what meets.
import { check } from "../../base/errors.ts";
import { showSpecs, type Value } from "../value.ts";

/** One number an axis of the image, or one number for all of them. */
export type PerAxis = number | readonly number[];

export interface Window {
  /** How far the kernel moves. */
  stride: readonly number[];
  /** How far apart the places of the kernel are. */
  dilation: readonly number[];
  /** Places added in front of each axis. */
  before: readonly number[];
  /** Places added behind each axis. */
  after: readonly number[];
}

export interface WindowOptions {
  stride?: PerAxis;
  dilation?: PerAxis;
  /** On both sides. */
  padding?: PerAxis;
  /** Behind each axis, where it differs from the front. */
  paddingAfter?: PerAxis;
}

/** A number for each of `rank` axes. */
export function perAxis(n: PerAxis, rank: number): readonly number[] {
  return typeof n === "number" ? new Array<number>(rank).fill(n) : n;
}

export function windowOf(
  rank: number,
  { stride = 1, dilation = 1, padding = 0, paddingAfter = padding }: WindowOptions,
): Window {
  return {
    stride: perAxis(stride, rank),
    dilation: perAxis(dilation, rank),
    before: perAxis(padding, rank),
    after: perAxis(paddingAfter, rank),
  };
}

/** What a kernel of `n` places spans. */
export function spanOf(n: number, dilation: number): number {
  return (n - 1) * dilation + 1;
}

/** Places of the window along each axis of the image. */
export function placesOf(
  image: readonly number[],
  kernel: readonly number[],
  { stride, dilation, before, after }: Window,
): number[] {
  return image.map((n, i) => {
    const free = n + before[i]! + after[i]! - spanOf(kernel[i]!, dilation[i]!);
    return Math.floor(free / stride[i]!) + 1;
  });
}

/** `x` is [batch, channels, ...image]. */
export function checkWindow(
  op: string,
  x: Value,
  kernel: readonly number[],
  { stride, dilation, before, after }: Window,
): void {
  const image = x.shape.slice(2);
  const lists = [kernel, stride, dilation, before, after];
  const whole = [...kernel, ...stride, ...dilation].every((n) => Number.isInteger(n) && n > 0);
  const fits =
    image.length > 0 &&
    lists.every((list) => list.length === image.length) &&
    image.every((n, i) => spanOf(kernel[i]!, dilation[i]!) <= n + before[i]! + after[i]!) &&
    [...before, ...after].every((n) => Number.isInteger(n) && n >= 0);
  check(whole && fits, "shape/window", `${op}: the window does not fit`, {
    got: `${showSpecs([x])}, kernel ${kernel}, stride ${stride}, dilation ${dilation}, padding ${before} and ${after}`,
    wanted: "x [batch, channels, ...image], a kernel within the padded image",
  });
}

/** As ONNX's attributes. */
export function windowAttributes(
  { stride, dilation, before, after }: Window,
  kernel: readonly number[],
) {
  return {
    kernel_shape: [...kernel],
    strides: [...stride],
    dilations: [...dilation],
    pads: [...before, ...after],
  };
}

/** What the stride could not reach at the end of each axis, when going back from `places`. */
export function restOf(
  size: readonly number[],
  places: readonly number[],
  kernel: readonly number[],
  { stride, dilation, before, after }: Window,
): number[] {
  return size.map((n, i) => {
    const reached = (places[i]! - 1) * stride[i]! + spanOf(kernel[i]!, dilation[i]!);
    return n + before[i]! + after[i]! - reached;
  });
}

/** For references: the flat (image, kernel, result) places of one plane that meet. */
export interface Taps {
  readonly image: readonly number[];
  readonly kernel: readonly number[];
  readonly result: readonly number[];
}

/** In the order of the result, then of the kernel. */
export function tapsOf(
  image: readonly number[],
  kernel: readonly number[],
  result: readonly number[],
  { stride, dilation, before }: Window,
): Taps {
  let taps = { image: [0], kernel: [0], result: [0] };
  for (let axis = 0; axis < image.length; axis++) {
    const next = { image: [] as number[], kernel: [] as number[], result: [] as number[] };
    for (let t = 0; t < taps.image.length; t++)
      for (let y = 0; y < result[axis]!; y++)
        for (let k = 0; k < kernel[axis]!; k++) {
          const i = y * stride[axis]! - before[axis]! + k * dilation[axis]!;
          if (i < 0 || i >= image[axis]!) continue;
          next.image.push(taps.image[t]! * image[axis]! + i);
          next.kernel.push(taps.kernel[t]! * kernel[axis]! + k);
          next.result.push(taps.result[t]! * result[axis]! + y);
        }
    taps = next;
  }
  return taps;
}
