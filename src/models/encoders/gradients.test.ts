// Are gradients through encoders those of central differences, and ORT's those of the reference?
import { afterAll, expect, test } from "vitest";
import { random } from "../../base/random.ts";
import { add, constant, grad, input, interpret, mul, program, sum } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { openModel } from "../open.ts";
import { weightInputs } from "../parameters.ts";
import { encode } from "./encode.ts";
import { encoderGoldens, feedsOf } from "./parity.fixture.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const goldens = await encoderGoldens();
const names = ["bert", "minilm", "vit", "clip text", "clip image"];

test.each(names)(
  "%s: central differences of 100 weights, and float32 like the reference",
  async (name) => {
    const golden = goldens.find((one) => one.name === name)!;
    const model = await openModel(golden.folder, {
      tower: golden.tower,
      tokenizer: null,
      inMemory: true,
    });
    const rng = random(3);
    const run = golden.tower === "text" ? "pad" : "in";
    // One row, with its padding behind it.
    const feeds = Object.fromEntries(
      Object.entries(feedsOf(golden, run)).map(([key, all]) => {
        const [rows, ...rest] = (all as Tensor).shape as [number, ...number[]];
        const data = (all as Tensor<"int32">).data.slice(sizeOf(rest) * (rows - 1));
        return [key, tensor((all as Tensor<"int32">).dtype, [1, ...rest], data)];
      }),
    );
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([key, fed]) => [key, input(key, fed.dtype, fed.shape)]),
    );
    const { attention_mask, ...read } = inputs;
    const values = weightInputs(model.config);
    const out = encode(model.config, values, read, { attention_mask });
    const { embedding, logits, nsp, pooled } = out;
    // A sum of all that heads give, each number with a weight of its own.
    const parts = [embedding, logits, nsp, pooled].flatMap((value) => {
      if (value === undefined) return [];
      const numbers = Array.from({ length: sizeOf(value.shape) }, () => rng.normal());
      return [sum(mul(value, constant(f32(value.shape, numbers))))];
    });
    const loss = parts.reduce((a, b) => add(a, b));
    const used = Object.keys(values).filter((key) => key !== "logit_scale");
    const gradients = grad(
      loss,
      used.map((key) => values[key]!),
    );
    const outputs = {
      loss,
      ...Object.fromEntries(used.map((key, i) => [`d ${key}`, gradients[i]!])),
    };
    const all = { inputs: [...Object.values(inputs), ...Object.values(values)], outputs };
    const weights: Record<string, Tensor> = {};
    for (const key of Object.keys(values)) weights[key] = model.weights[key]!;
    const whole = { ...feeds, ...weights };
    const exact = interpret(program(all), whole);
    const compiled = await backend.compile(program(all));
    const narrow = await compiled.run(whole);
    await compiled.release();
    for (const key of used) {
      const [a, b] = [
        narrow[`d ${key}`]!.data as Float32Array,
        exact[`d ${key}`]!.data as Float64Array,
      ];
      // The same number for all keys goes through softmax without a trace: b_K has no gradient, and
      // what rounding leaves of it is judged against that of W_K.
      const scale = exact[`d ${key.replace("b_K", "W_K")}`]!.data as Float64Array;
      const most = scale.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
      const far = Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
      expect(far, key).toBeLessThanOrEqual(1e-4 * most);
    }

    const only = program({ inputs: all.inputs, outputs: { loss } });
    const at = (key: string, i: number, by: number): number => {
      const data = Float64Array.from(weights[key]!.data as Float32Array);
      data[i]! += by;
      const moved = tensor("float64", weights[key]!.shape, data);
      return (interpret(only, { ...whole, [key]: moved }).loss!.data as Float64Array)[0]!;
    };
    for (let n = 0; n < 100; n++) {
      const key = used[rng.int(used.length)]!;
      const i = rng.int(sizeOf(weights[key]!.shape));
      const step = 1e-4;
      const slope = (at(key, i, step) - at(key, i, -step)) / (2 * step);
      const got = (exact[`d ${key}`]!.data as Float64Array)[i]!;
      expect(Math.abs(got - slope), `${key}[${i}]`).toBeLessThanOrEqual(
        1e-6 * Math.max(1, Math.abs(slope)),
      );
    }
  },
  30_000,
);
