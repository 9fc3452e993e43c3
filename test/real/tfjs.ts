// How a chain of Keras layers, as TensorFlow.js stores them, becomes a graph of ours.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  add,
  constant,
  conv2d,
  greater,
  input,
  maxPool,
  mean,
  mul,
  type Value,
  where,
} from "../../src/graph/index.ts";
import { f32, sizeOf } from "../../src/tensor/index.ts";
import { readJson } from "./data.ts";

interface Layer {
  name: string;
  class_name: string;
  config: Record<string, unknown>;
  inbound_nodes: [[string, ...unknown[]]][];
}

interface Stored {
  modelTopology: { model_config: { config: { layers: Layer[] } } };
  weightsManifest: {
    paths: string[];
    weights: { name: string; shape: number[]; dtype: string }[];
  }[];
}

/** Axes of images are [batch, channel, row, column] here, and channels come last there. */
export function readTfjs(folder: string): {
  image: Value;
  values: Record<string, Value>;
  last: Value;
} {
  const { modelTopology, weightsManifest } = readJson(join(folder, "model.json")) as Stored;
  const weights = readWeights(folder, weightsManifest);
  const { layers } = modelTopology.model_config.config;
  const values: Record<string, Value> = {};
  for (const layer of layers) {
    const from = layer.inbound_nodes[0]?.map(([name]) => values[name]!) ?? [];
    values[layer.name] = made(layer, from[0], (part) => weights.get(`${layer.name}/${part}`)!);
  }
  return { image: values[layers[0]!.name]!, values, last: values[layers.at(-1)!.name]! };
}

type Weight = { shape: number[]; data: Float32Array };

function readWeights(folder: string, manifest: Stored["weightsManifest"]): Map<string, Weight> {
  const found = new Map<string, Weight>();
  for (const { paths, weights } of manifest) {
    const bytes = Buffer.concat(paths.map((path) => readFileSync(join(folder, path))));
    let at = 0;
    for (const { name, shape, dtype } of weights) {
      if (dtype !== "float32") throw new Error(`${name} is ${dtype}`);
      const end = at + 4 * sizeOf(shape);
      found.set(name, {
        shape,
        data: new Float32Array(new Uint8Array(bytes.subarray(at, end)).buffer),
      });
      at = end;
    }
    if (at !== bytes.length) throw new Error(`${paths}: ${bytes.length - at} bytes are left over`);
  }
  return found;
}

function made(
  { class_name, config, name }: Layer,
  x: Value | undefined,
  weight: (part: string) => Weight,
): Value {
  const pair = (key: string) => config[key] as [number, number];
  switch (class_name) {
    case "InputLayer": {
      const [, rows, columns, channels] = config.batch_input_shape as number[];
      return input(name, "float32", [1, channels!, rows!, columns!]);
    }
    case "Conv2D": {
      const bias =
        config.use_bias === true
          ? constant(f32([weight("bias").shape[0]!], weight("bias").data))
          : undefined;
      if (config.activation !== "linear") throw new Error(`${name}: ${config.activation}`);
      const window = same(x!, pair("kernel_size"), pair("strides"), config.padding);
      return conv2d(x!, constant(kernelOf(weight("kernel"))), { ...window, bias });
    }
    case "BatchNormalization": {
      // Statistics of training: a factor and a term a channel.
      const [gamma, beta] = [weight("gamma").data, weight("beta").data];
      const [centre, variance] = [weight("moving_mean").data, weight("moving_variance").data];
      const factor = gamma.map((g, i) => g / Math.sqrt(variance[i]! + Number(config.epsilon)));
      const term = beta.map((b, i) => b - centre[i]! * factor[i]!);
      const channels = (data: Float32Array) => constant(f32([data.length, 1, 1], data));
      return add(mul(x!, channels(factor)), channels(term));
    }
    case "LeakyReLU":
      return where(greater(x!, 0), x!, mul(x!, config.alpha as number));
    case "MaxPooling2D":
      return maxPool(
        x!,
        pair("pool_size"),
        same(x!, pair("pool_size"), pair("strides"), config.padding),
      );
    case "GlobalAveragePooling2D":
      return mean(x!, { axes: [2, 3] });
    default:
      throw new Error(`${name}: ${class_name} is not read`);
  }
}

/** TensorFlow's "same": as many places as strides, the odd one of the padding behind. */
function same(x: Value, kernel: readonly number[], stride: readonly number[], padding: unknown) {
  const all = kernel.map((n, i) => {
    if (padding !== "same") return 0;
    const size = x.shape[2 + i]!;
    return Math.max(0, (Math.ceil(size / stride[i]!) - 1) * stride[i]! + n - size);
  });
  const before = all.map((n) => Math.floor(n / 2));
  return { stride, padding: before, paddingAfter: all.map((n, i) => n - before[i]!) };
}

/** [row, column, in, out] → [out, in, row, column]. */
function kernelOf({ shape, data }: Weight) {
  const [rows, columns, inside, out] = shape as [number, number, number, number];
  const turned = new Float32Array(data.length);
  for (let p = 0; p < rows * columns; p++)
    for (let i = 0; i < inside; i++)
      for (let o = 0; o < out; o++)
        turned[(o * inside + i) * rows * columns + p] = data[(p * inside + i) * out + o]!;
  return f32([out, inside, rows, columns], turned);
}
