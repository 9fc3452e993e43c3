// A read model is captured, changed, differentiated and written back: against arithmetic and differences.
import { describe, expect, test } from "vitest";
import { freed, modelOf, port } from "../../../test/onnx-models.ts";
import { initializer } from "../../formats/onnx/model.ts";
import { add, constant, interpret, mul, type Program, program, sum } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { f32, type Tensor, tensor } from "../../tensor/tensor.ts";
import { captureOnnx, changeOnnx, gradOnnx, listOnnx, onnxValue, writeOnnx } from "./edit.ts";
import { readOnnx } from "./read.ts";

const W = f32([3, 2], [1, -2, 0.5, 3, -1, 2]);
const b = f32([2], [0.25, -0.5]);
const x = f32([2, 3], [1, 2, 3, -1, 0.5, 2]);

// h = x·W + b; r = relu(h); same = r; out = tanh(r) + same, over a batch of free size.
const bytes = freed(
  modelOf(
    [
      { op: "MatMul", inputs: ["x", "W"], outputs: ["product"] },
      { op: "Add", inputs: ["product", "b"], outputs: ["h"] },
      { op: "Relu", inputs: ["h"], outputs: ["r"] },
      { op: "Identity", inputs: ["r"], outputs: ["same"] },
      { op: "Tanh", inputs: ["r"], outputs: ["t"] },
      { op: "Add", inputs: ["t", "same"], outputs: ["out"] },
    ],
    [port("x", [1, 3])],
    [port("out", [1, 2])],
    { initializers: [initializer("W", W), initializer("b", b)] },
  ),
  0,
  0,
  "batch",
);
const read = () => readOnnx(bytes, { dims: { batch: 2 } });
const backend = ortBackend({ threads: 1 });

async function run(program: Program, feeds: Record<string, Tensor> = { x }) {
  const executable = await backend.compile(program);
  return executable.run(feeds);
}

const h = [0, 1].map((row) =>
  [0, 1].map((j) =>
    [0, 1, 2].reduce((t, k) => t + x.data[row * 3 + k]! * W.data[k * 2 + j]!, b.data[j]!),
  ),
);
const relu = h.flat().map((v) => Math.max(0, v));

function close(got: Tensor | undefined, wanted: readonly number[], digits = 5) {
  expect(got).toBeDefined();
  wanted.forEach((n, i) => {
    expect(Number(got!.data[i])).toBeCloseTo(n, digits);
  });
}

describe("a small model with a free batch", () => {
  test("names its free dimension when it is not given", async () => {
    await expect(readOnnx(bytes)).rejects.toMatchObject({
      code: "onnx/free-dim",
      got: "x [batch, 3]",
    });
  });

  test("lists every value with shape and dtype", async () => {
    expect(listOnnx(await read()).map(({ name, kind, shape }) => [name, kind, shape])).toEqual([
      ["x", "input", [2, 3]],
      ["W", "initializer", [3, 2]],
      ["b", "initializer", [2]],
      ["product", "value", [2, 2]],
      ["h", "value", [2, 2]],
      ["r", "value", [2, 2]],
      ["same", "value", [2, 2]],
      ["t", "value", [2, 2]],
      ["out", "output", [2, 2]],
    ]);
  });

  test("any value is captured by its name", async () => {
    const found = await run(captureOnnx(await read(), ["h", "same"], { outputs: true }));
    close(found.h, h.flat());
    close(found.same, relu);
    close(
      found.out,
      relu.map((v) => Math.tanh(v) + v),
    );
  });

  test("a wrong name is answered with names that are like it", async () => {
    const model = await read();
    expect(() => onnxValue(model, "encoder.out")).toThrow(
      expect.objectContaining({ code: "onnx/value", wanted: "out" }),
    );
  });

  test("two names for one value are changed apart", async () => {
    const model = await read();
    const withoutSame = changeOnnx(model, { same: (v) => mul(v, 0) });
    close(
      (await run(writeOnnx(withoutSame))).out,
      relu.map((v) => Math.tanh(v)),
    );
    const withoutR = changeOnnx(model, { r: (v) => mul(v, 0) });
    close((await run(writeOnnx(withoutR))).out, [0, 0, 0, 0]);
    close(
      (await run(writeOnnx(model))).out,
      relu.map((v) => Math.tanh(v) + v),
    );
  });

  test("changes meet: a later value sees what an earlier one became", async () => {
    const changed = changeOnnx(await read(), { h: (v) => mul(v, -1), t: (v) => add(v, 5) });
    const turned = h.flat().map((v) => Math.max(0, -v));
    close(
      (await run(writeOnnx(changed))).out,
      turned.map((v) => Math.tanh(v) + 5 + v),
    );
  });

  test("gradients to input, initializer and inner value are limits of differences", async () => {
    const model = await read();
    const loss = sum(mul(model.outputs.out!, constant(f32([2, 2], [1, -2, 0.5, 3]))));
    const grads = gradOnnx(model, loss, ["x", "W", "b", "t"]);
    const found = interpret(grads, { x });
    close(found.t, [1, -2, 0.5, 3]);
    const at = (step: Tensor<"float32">) => Number(interpret({ loss }, { x: step }).loss!.data[0]);
    for (let i = 0; i < x.data.length; i++) {
      const moved = (by: number) =>
        f32(
          x.shape,
          x.data.map((v, j) => (i === j ? v + by : v)),
        );
      const difference = (at(moved(2 ** -10)) - at(moved(-(2 ** -10)))) * 2 ** 9;
      expect(found.x!.data[i]).toBeCloseTo(difference, 4);
    }
    // d/dW = xᵀ·g and d/db = Σ g, with g = (1 + 1 − tanh²) where h > 0.
    const g = relu.map((v, i) =>
      h.flat()[i]! > 0 ? [1, -2, 0.5, 3][i]! * (2 - Math.tanh(v) ** 2) : 0,
    );
    close(found.b, [g[0]! + g[2]!, g[1]! + g[3]!]);
    const toW = [0, 1, 2].flatMap((k) =>
      [0, 1].map((j) => x.data[k]! * g[j]! + x.data[3 + k]! * g[2 + j]!),
    );
    close(found.W, toW);
    const ran = await run(program({ inputs: model.inputs, outputs: { toW: grads.W! } }));
    close(ran.toW, toW, 4);
  });

  test("what is written back is read again and gives the same", async () => {
    const written = writeOnnx(await read());
    const again = await readOnnx(written.bytes);
    expect(again.inputs.map(({ name, shape }) => [name, shape])).toEqual([["x", [2, 3]]]);
    const [first, second] = [await run(written), await run(writeOnnx(again))];
    expect(second.out).toEqual(first.out);
  });
});

test("ones that multiply, and an exponent, can be changed and have a gradient", async () => {
  const bytes = modelOf(
    [
      { op: "Mul", inputs: ["x", "ones"], outputs: ["h"] },
      { op: "Pow", inputs: ["h", "two"], outputs: ["y"] },
    ],
    [port("x", [2])],
    [port("y", [2])],
    { initializers: [initializer("ones", f32([2], [1, 1])), initializer("two", f32([], [2]))] },
  );
  const model = await readOnnx(bytes);
  const feeds = { x: f32([2], [3, 4]) };
  const grads = interpret(gradOnnx(model, sum(model.outputs.y!), ["ones", "two"]), feeds);
  close(grads.ones, [18, 32]); // 2 · x · x
  close(grads.two, [9 * Math.log(3) + 16 * Math.log(4)]);
  const changed = changeOnnx(model, { ones: (v) => mul(v, 10), two: (v) => add(v, 1) });
  close((await run(writeOnnx(changed), feeds)).y, [27_000, 64_000], 1);
});

test("what was worked out when the model was read cannot be changed in silence", async () => {
  const whole = (values: number[], shape: number[]) =>
    tensor("int64", shape, BigInt64Array.from(values, BigInt));
  // Flattens all but the first axis, as exporters write it.
  const flatten = modelOf(
    [
      { op: "Shape", inputs: ["x"], outputs: ["shape"] },
      { op: "Gather", inputs: ["shape", "first"], outputs: ["rows"] },
      { op: "Unsqueeze", inputs: ["rows", "axes"], outputs: ["rows1"] },
      { op: "Concat", inputs: ["rows1", "rest"], outputs: ["to"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "to"], outputs: ["y"] },
    ],
    [port("x", [2, 3, 4])],
    [port("y", [2, 12])],
    {
      initializers: [
        initializer("first", whole([0], [])),
        initializer("axes", whole([0], [1])),
        initializer("rest", whole([-1], [1])),
      ],
    },
  );
  const model = await readOnnx(flatten);
  expect(model.outputs.y!.shape).toEqual([2, 12]);
  expect(listOnnx(model).find(({ name }) => name === "rows")!.fixed).toMatch(/when the model was/);
  expect(() => changeOnnx(model, { rows: (v) => mul(v, 2) })).toThrow(
    expect.objectContaining({ code: "onnx/baked", where: "rows" }),
  );
});
