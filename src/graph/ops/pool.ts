// What a window over an image holds: its maximum, its mean, and how gradients go back into it.
import { check } from "../../base/errors.ts";
import { sizeOf, tensor } from "../../tensor/tensor.ts";
import { type Cells, defineOp, type Emitter, type Maker, type Node, type Spec } from "../op.ts";
import type { Value } from "../value.ts";
import { reshape } from "./broadcast.ts";
import { checkWindow, places, type Two, two, type Window } from "./conv.ts";
import { scatterAdd } from "./gather.ts";

interface PoolAttrs extends Window {
  kernel: Two;
}

function inferPool(op: string, [x]: readonly Value[], attrs: PoolAttrs): Spec {
  checkWindow(op, x!, attrs.kernel, attrs);
  const { padding: sides } = attrs;
  check(
    sides.every((n, i) => n < attrs.kernel[i]!),
    "shape/window",
    `${op}: only padding`,
    {
      got: `padding ${sides}, kernel ${attrs.kernel}`,
      wanted: "padding smaller than the kernel",
    },
  );
  const { kernel, stride, padding } = attrs;
  const size = (i: 0 | 1) => places(x!.shape[2 + i]!, kernel[i], stride[i], padding[i]);
  return { shape: [x!.shape[0]!, x!.shape[1]!, size(0), size(1)], dtype: x!.dtype };
}

function attributes({ kernel, stride, padding }: PoolAttrs) {
  return { kernel_shape: [...kernel], strides: [...stride], pads: [...padding, ...padding] };
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
    const made = to.nodes("MaxPool", [x], 2, { attributes: attributes(attrs) });
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
    makeAvgSpread([grad], { ...attrs, size: x!.shape.slice(2) as unknown as Two }),
  ],
  lower: (to, { attrs }, [x]) =>
    to.node("AveragePool", [x!], {
      attributes: { ...attributes(attrs), count_include_pad: 1 },
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

/** Gradient of avgPool: each mean is spread over its window. */
const makeAvgSpread: Maker<PoolAttrs & { size: Two }> = defineOp<PoolAttrs & { size: Two }>({
  name: "avgPoolSpread",
  infer: ([y], { size }) => ({ shape: [y!.shape[0]!, y!.shape[1]!, ...size], dtype: y!.dtype }),
  vjp: (grad, { attrs: { kernel, stride, padding } }) => [
    makeAvgPool([grad], { kernel, stride, padding }),
  ],
  lower: (to, { inputs: [y], dtype, attrs }, [name]) => {
    const { kernel, stride, padding, size } = attrs;
    const channels = y!.shape[1]!;
    const shape = [channels, 1, ...kernel];
    const share = new Array<number>(sizeOf(shape)).fill(1 / sizeOf(kernel));
    const weights =
      dtype === "float64"
        ? tensor("float64", shape, Float64Array.from(share))
        : tensor("float32", shape, Float32Array.from(share));
    const rest = [0, 1].map(
      (i) => size[i]! + 2 * padding[i]! - ((y!.shape[2 + i]! - 1) * stride[i]! + kernel[i]!),
    );
    return to.node("ConvTranspose", [name!, to.constant(weights)], {
      attributes: { ...attributes(attrs), group: channels, output_padding: rest },
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

export interface PoolOptions {
  /** The kernel's size when left out: windows that do not overlap. */
  stride?: number | Two;
  padding?: number | Two;
}

/** The maximum of each window of x [batch, channels, rows, columns]; equals: the first counts. */
export function maxPool(x: Value, kernel: number | Two, options: PoolOptions = {}): Value {
  return makeMaxPool([x], poolAttrs(kernel, options));
}

/** The mean of each window; zeros of the padding count. */
export function avgPool(x: Value, kernel: number | Two, options: PoolOptions = {}): Value {
  return makeAvgPool([x], poolAttrs(kernel, options));
}

function poolAttrs(kernel: number | Two, { stride = kernel, padding = 0 }: PoolOptions): PoolAttrs {
  return { kernel: two(kernel), stride: two(stride), padding: two(padding) };
}

/** For references: every (image, result) pair of flat indices that meet, in the image's order. */
function forEachPlace(
  { inputs: [x], shape, attrs }: Pick<Node<PoolAttrs>, "inputs" | "shape" | "attrs">,
  visit: (i: number, k: number) => void,
): void {
  const { kernel, stride, padding } = attrs;
  const [rows, columns] = x!.shape.slice(2) as [number, number];
  const [planes, outRows, outColumns] = [shape[0]! * shape[1]!, shape[2]!, shape[3]!];
  for (let p = 0; p < planes; p++)
    for (let yr = 0; yr < outRows; yr++)
      for (let yc = 0; yc < outColumns; yc++)
        for (let kr = 0; kr < kernel[0]; kr++)
          for (let kc = 0; kc < kernel[1]; kc++) {
            const r = yr * stride[0] - padding[0] + kr;
            const c = yc * stride[1] - padding[1] + kc;
            if (r < 0 || r >= rows || c < 0 || c >= columns) continue;
            visit((p * rows + r) * columns + c, (p * outRows + yr) * outColumns + yc);
          }
}
