// A real network of operator set 7: it reads handwritten digits, through our graph.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  add,
  constant,
  gather,
  interpret,
  mul,
  program,
  reshape,
  type Swap,
  scalar,
  sum,
} from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { f32, type Tensor } from "../../tensor/tensor.ts";
import { captureOnnx, changeOnnx, gradOnnx, writeOnnx } from "./edit.ts";
import { readOnnx } from "./read.ts";

const folder = new URL("../../../../shared/data/vision/mnist/", import.meta.url);
const here = existsSync(folder);
const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));

/** Digits [n, 1, 28, 28] with brightness 0 to 255, which the network was trained on. */
function digits(n: number): { images: Tensor<"float32">; labels: Uint8Array } {
  const images = gunzipSync(bytes("t10k-images-idx3-ubyte.gz")).subarray(16, 16 + n * 784);
  const labels = gunzipSync(bytes("t10k-labels-idx1-ubyte.gz")).subarray(8, 8 + n);
  return { images: f32([n, 1, 28, 28], images), labels: new Uint8Array(labels) };
}

describe.skipIf(!here)("the MNIST network (skipped where ../shared/data is not there)", () => {
  const backend = ortBackend({ threads: 1 });

  test("names 987 of the first 1,000 test digits", async () => {
    const model = await readOnnx(bytes("mnist.onnx"));
    expect(model.untouched).toEqual([]);
    const executable = await backend.compile(writeOnnx(model));
    const { images, labels } = digits(1000);
    let right = 0;
    for (let i = 0; i < 1000; i++) {
      const one = f32([1, 1, 28, 28], images.data.subarray(i * 784, (i + 1) * 784));
      const { data } = (await executable.run({ Input3: one })).Plus214_Output_0!;
      const best = data.indexOf(Math.max(...(data as Float32Array)) as never);
      right += Number(best === labels[i]);
    }
    expect(right).toBe(987);
  });

  test("a dead first layer makes every digit the same; a gradient says which pixels count", async () => {
    const model = await readOnnx(bytes("mnist.onnx"));
    const { images, labels } = digits(2);
    const feeds = [0, 1].map((i) => ({
      Input3: f32([1, 1, 28, 28], images.data.subarray(i * 784, (i + 1) * 784)),
    }));
    const silent: [string, Swap] = ["ReLU32_Output_0", (v) => mul(v, 0)];
    const dead = changeOnnx(model, Object.fromEntries([silent]));
    const executable = await backend.compile(captureOnnx(dead, ["Plus214_Output_0"]));
    const [a, b] = [await executable.run(feeds[0]!), await executable.run(feeds[1]!)];
    expect(a).toEqual(b);

    const logits = reshape(model.outputs.Plus214_Output_0!, [10]);
    const logit = sum(gather(logits, scalar(labels[0]!, "int32")));
    const grads = gradOnnx(model, logit, ["Input3", "Parameter87"]);
    const toKernel = grads.Parameter87!;
    const exact = interpret({ logit, toKernel, toImage: grads.Input3! }, feeds[0]!);
    // A step along the gradient of a weight moves the logit as the gradient says.
    const g = exact.toKernel!.data as Float64Array;
    const norm = g.reduce((t, v) => t + v * v, 0);
    const nudge = f32(
      [16, 8, 5, 5],
      g.map((v) => (v * 0.01) / norm),
    );
    const step: [string, Swap] = ["Parameter87", (w) => add(w, constant(nudge))];
    const moved = changeOnnx(model, Object.fromEntries([step]));
    const after = interpret({ out: moved.outputs.Plus214_Output_0! }, feeds[0]!).out!;
    const gain = Number(after.data[labels[0]!]) - Number(exact.logit!.data[0]);
    expect(gain / 0.01).toBeCloseTo(1, 2);

    // ONNX Runtime's float32 gradients are the reference's to 1e-4 of the largest.
    const made = program({ inputs: model.inputs, outputs: { toKernel, toImage: grads.Input3! } });
    const found = await (await backend.compile(made)).run(feeds[0]!);
    for (const name of ["toKernel", "toImage"]) {
      const wanted = exact[name]!.data as Float64Array;
      const most = wanted.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
      const gap = wanted.reduce(
        (top, v, i) => Math.max(top, Math.abs(v - Number(found[name]!.data[i]))),
        0,
      );
      expect(gap / most, name).toBeLessThan(1e-4);
    }
  });
});
