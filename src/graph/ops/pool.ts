// What a window over an image holds: its maximum, its mean, and how gradients go back into it.
import { check } from "../../base/errors.ts";
import { sizeOf, tensor } from "../../tensor/tensor.ts";
import { type Cells, defineOp, type Emitter, type Maker, type Node, type Spec } from "../op.ts";
import type { Value } from "../value.ts";
import { reshape } from "./broadcast.ts";
import { scatterAdd } from "./gather.ts";
import {
  checkWindow,
  type PerAxis,
  perAxis,
  placesOf,
  restOf,
  spanOf,
  tapsOf,
  type Window,
  type WindowOptions,
  windowAttributes,
  windowOf,
} from "./window.ts";

interface PoolAttrs extends Window {
  kernel: readonly number[];
}

function inferPool(op: string, [x]: readonly Value[], attrs: PoolAttrs): Spec {
  const { kernel, before, after, dilation } = attrs;
  checkWindow(op, x!, kernel, attrs);
  const inside = (n: number, i: number) => n < spanOf(kernel[i]!, dilation[i]!);
  check(before.every(inside) && after.every(inside), "shape/window", `${op}: only padding`, {
    got: `padding ${before} and ${after}, kernel ${kernel}`,
    wanted: "padding smaller than the kernel",
  });
  const places = placesOf(x!.shape.slice(2), kernel, attrs);
  return { shape: [x!.shape[0]!, x!.shape[1]!, ...places], dtype: x!.dtype };
}

const makeMaxPool = defineOp<PoolAttrs>({
  name: "maxPool",
  infer: (inputs, attrs) => inferPool("maxPool", inputs, attrs),
  vjp: (grad, { inputs: [x], attrs }) => {
    const flat = scatterAdd(reshape(makeMaxPlaces([x!], attrs), [-1]), reshape(grad, [-1]), {
      size: sizeOf(x!.shape),
    });
    return [reshape(flat, x!.shape)];
  },
  lower: (to, node, [x]) => maxPoolOf(to, node, x!).values,
  reference: ([x], node) => maxCells(x!, node).values,
});

/** Where in the flat image each maximum lies. */
const makeMaxPlaces = defineOp<PoolAttrs>({
  name: "maxPoolPlaces",
  infer: (inputs, attrs) => ({ ...inferPool("maxPool", inputs, attrs), dtype: "int64" }),
  lower: (to, node, [x]) => maxPoolOf(to, node, x!).places,
  reference: ([x], node) => maxCells(x!, node).places,
});

function maxPoolOf(to: Emitter, { attrs }: Node<PoolAttrs>, x: string) {
  return to.shared(`maxPool ${x} ${JSON.stringify(attrs)}`, () => {
    const made = to.nodes("MaxPool", [x], 2, { attributes: windowAttributes(attrs, attrs.kernel) });
    return { values: made[0]!, places: made[1]! };
  });
}

function maxCells(x: Cells, node: Node<PoolAttrs>): { values: Cells; places: Cells } {
  const values = new Float64Array(sizeOf(node.shape)).fill(-Infinity);
  const at = new Float64Array(sizeOf(node.shape));
  forEachPlace(node, (i, k) => {
    if (x[i]! > values[k]!) {
      values[k] = x[i]!;
      at[k] = i;
    }
  });
  return { values, places: at };
}

const makeAvgPool: Maker<PoolAttrs> = defineOp<PoolAttrs>({
  name: "avgPool",
  infer: (inputs, attrs) => inferPool("avgPool", inputs, attrs),
  vjp: (grad, { inputs: [x], attrs }) => [
    makeAvgSpread([grad], { ...attrs, size: x!.shape.slice(2) }),
  ],
  lower: (to, { attrs }, [x]) =>
    to.node("AveragePool", [x!], {
      attributes: { ...windowAttributes(attrs, attrs.kernel), count_include_pad: 1 },
    }),
  reference: ([x], node) => {
    const y = new Float64Array(sizeOf(node.shape));
    const share = 1 / sizeOf(node.attrs.kernel);
    forEachPlace(node, (i, k) => {
      y[k]! += x![i]! * share;
    });
    return y;
  },
});

type SpreadAttrs = PoolAttrs & { size: readonly number[] };

/** Gradient of avgPool: each mean is spread over its window. */
const makeAvgSpread: Maker<SpreadAttrs> = defineOp<SpreadAttrs>({
  name: "avgPoolSpread",
  infer: ([y], { size }) => ({ shape: [y!.shape[0]!, y!.shape[1]!, ...size], dtype: y!.dtype }),
  vjp: (grad, { attrs: { kernel, stride, dilation, before, after } }) => [
    makeAvgPool([grad], { kernel, stride, dilation, before, after }),
  ],
  lower: (to, { inputs: [y], dtype, attrs }, [name]) => {
    const { kernel, size } = attrs;
    const channels = y!.shape[1]!;
    const shape = [channels, 1, ...kernel];
    const share = new Array<number>(sizeOf(shape)).fill(1 / sizeOf(kernel));
    const weights =
      dtype === "float64"
        ? tensor("float64", shape, Float64Array.from(share))
        : tensor("float32", shape, Float32Array.from(share));
    const rest = restOf(size, y!.shape.slice(2), kernel, attrs);
    return to.node("ConvTranspose", [name!, to.constant(weights)], {
      attributes: {
        ...windowAttributes(attrs, attrs.kernel),
        group: channels,
        output_padding: rest,
      },
    });
  },
  reference: ([y], node) => {
    const x = new Float64Array(sizeOf(node.shape));
    const share = 1 / sizeOf(node.attrs.kernel);
    const forward = {
      ...node,
      inputs: [{ ...node, id: 0 } as Value],
      shape: node.inputs[0]!.shape,
    };
    forEachPlace(forward, (i, k) => {
      x[i]! += y![k]! * share;
    });
    return x;
  },
});

/** The stride is the kernel's size when left out: windows that do not overlap. */
export type PoolOptions = WindowOptions;

/** The maximum of each window of x [batch, channels, ...image]; equals: the first counts. */
export function maxPool(x: Value, kernel: PerAxis, options: PoolOptions = {}): Value {
  return makeMaxPool([x], poolAttrs(x, kernel, options));
}

/** Where each of those lies in all of `x`, flat: int64. */
export function maxPoolPlaces(x: Value, kernel: PerAxis, options: PoolOptions = {}): Value {
  return makeMaxPlaces([x], poolAttrs(x, kernel, options));
}

/** The mean of each window; zeros of the padding count. */
export function avgPool(x: Value, kernel: PerAxis, options: PoolOptions = {}): Value {
  return makeAvgPool([x], poolAttrs(x, kernel, options));
}

function poolAttrs(x: Value, kernel: PerAxis, options: PoolOptions): PoolAttrs {
  const rank = Math.max(1, x.shape.length - 2);
  return {
    kernel: perAxis(kernel, rank),
    ...windowOf(rank, { ...options, stride: options.stride ?? kernel }),
  };
}

/** For references: every (image, result) pair of flat indices that meet, in the image's order. */
function forEachPlace(
  { inputs: [x], shape, attrs }: Pick<Node<PoolAttrs>, "inputs" | "shape" | "attrs">,
  visit: (i: number, k: number) => void,
): void {
  const [image, places] = [x!.shape.slice(2), shape.slice(2)];
  const taps = tapsOf(image, attrs.kernel, places, attrs);
  const planes = shape[0]! * shape[1]!;
  for (let p = 0; p < planes; p++)
    for (let t = 0; t < taps.image.length; t++)
      visit(p * sizeOf(image) + taps.image[t]!, p * sizeOf(places) + taps.result[t]!);
}
