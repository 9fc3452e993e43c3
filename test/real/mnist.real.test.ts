// A network of others for handwritten digits, as ONNX of operator set 7: read, run and differentiated.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { input, interpret, mul, program, sum } from "../../src/graph/index.ts";
import { gradOnnx, listOnnx, readOnnx, writeOnnx } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { f32 } from "../../src/tensor/index.ts";
import { distance, reached, withData } from "./data.ts";

const pixels = 28 * 28;

withData("vision/mnist", (folder) => {
  const backend = ortBackend({ threads: 1 });
  afterAll(() => backend.release());
  const file = () => readFileSync(join(folder, "mnist.onnx"));
  const unzip = (name: string) => gunzipSync(readFileSync(join(folder, name)));
  const imageOf = (bytes: Uint8Array, i: number) =>
    f32([1, 1, 28, 28], Float32Array.from(bytes.subarray(16 + i * pixels, 16 + (i + 1) * pixels)));

  test("98.7 % of the first thousand digits are right, read as our graph and written back", async () => {
    const model = await readOnnx(new Uint8Array(file()));
    expect(model.untouched).toEqual([]);
    const [name] = model.inputs.map((one) => one.name!);
    const [out] = Object.keys(model.outputs);
    const images = unzip("t10k-images-idx3-ubyte.gz");
    const labels = unzip("t10k-labels-idx1-ubyte.gz").subarray(8);
    const ready = await backend.compile(writeOnnx(model));
    let right = 0;
    for (let i = 0; i < 1000; i++) {
      const logits = (await ready.run({ [name!]: imageOf(images, i) }))[out!]!.data as Float32Array;
      if (logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) === labels[i]) right += 1;
    }
    await ready.release();
    reached("MNIST", `${right} of 1,000 right`);
    expect(right).toBe(987);
  });

  test("the gradient to its first feature map is that of the float64 reference", async () => {
    const model = await readOnnx(new Uint8Array(file()));
    const [name] = model.inputs.map((one) => one.name!);
    const [out] = Object.values(model.outputs);
    const chosen = input("chosen", "float32", out!.shape);
    const relu = listOnnx(model).find((row) => /relu/i.test(row.name))!.name;
    const { [relu]: found } = gradOnnx(model, sum(mul(out!, chosen)), [relu]);
    const made = program({ inputs: [...model.inputs, chosen], outputs: { found: found! } });
    const one = new Float32Array(10);
    one[7] = 1;
    const feeds = {
      [name!]: imageOf(unzip("t10k-images-idx3-ubyte.gz"), 0),
      chosen: f32(out!.shape, one),
    };
    const ready = await backend.compile(made);
    const got = (await ready.run(feeds)).found!.data as Float32Array;
    await ready.release();
    const reference = interpret({ found: found! }, feeds).found!.data as Float64Array;
    const most = reference.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
    const far = distance(got, reference) / most;
    reached("MNIST", `d logit / d ${relu}: ${far} of the largest`);
    expect(most).toBeGreaterThan(0);
    expect(far).toBeLessThan(1e-4);
  });
});
