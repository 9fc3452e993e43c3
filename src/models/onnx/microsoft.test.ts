// ONNX Runtime's own operators: our reading of them, in float64 and lowered, against its kernels.
import { describe, expect, test } from "vitest";
import { modelOf, port } from "../../../test/onnx-models.ts";
import { random } from "../../base/random.ts";
import type { Attribute } from "../../formats/onnx/model.ts";
import { interpret } from "../../graph/interpret.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { writeOnnx } from "./edit.ts";
import { readOnnx } from "./read.ts";
import { claims } from "./table.ts";

interface Case {
  op: string;
  /** A shape of normal numbers, a tensor, or nothing. */
  inputs: (number[] | Tensor | undefined)[];
  attributes?: Record<string, Attribute>;
  /** The shape of each result; undefined where it is left out. */
  outputs: (number[] | undefined)[];
}

const ids = (n: number, shape: number[]) =>
  tensor(
    "int32",
    shape,
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 5 + 1) % n),
  );
const positions = tensor("int64", [2, 3], BigInt64Array.from([0, 1, 2, 3, 4, 5], BigInt));
const mask = tensor("int32", [2, 3], Int32Array.of(1, 1, 0, 1, 1, 1));
const angles = (of: (x: number) => number) =>
  f32(
    [8, 2],
    Array.from({ length: 16 }, (_, i) => of((i >> 1) / (1 + (i % 2)))),
  );

const cases: Case[] = [
  {
    op: "FusedMatMul",
    inputs: [
      [3, 2],
      [4, 3],
    ],
    attributes: { transA: 1, transB: 1, alpha: { float: 0.5 } },
    outputs: [[2, 4]],
  },
  {
    op: "FusedGemm",
    inputs: [[2, 3], [3, 4], [4]],
    attributes: { activation: "Relu" },
    outputs: [[2, 4]],
  },
  {
    op: "FusedConv",
    inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3]],
    attributes: { activation: "Relu", kernel_shape: [3, 3] },
    outputs: [[1, 3, 3, 3]],
  },
  { op: "Gelu", inputs: [[2, 3]], outputs: [[2, 3]] },
  { op: "BiasGelu", inputs: [[2, 3], [3]], outputs: [[2, 3]] },
  { op: "FastGelu", inputs: [[2, 3], [3]], outputs: [[2, 3]] },
  { op: "QuickGelu", inputs: [[2, 3]], outputs: [[2, 3]] },
  {
    op: "SkipLayerNormalization",
    inputs: [[2, 3, 4], [2, 3, 4], [4], [4], [4]],
    attributes: { epsilon: { float: 1e-5 } },
    outputs: [[2, 3, 4], undefined, undefined, [2, 3, 4]],
  },
  {
    op: "SkipSimplifiedLayerNormalization",
    inputs: [[2, 3, 4], [2, 3, 4], [4], [4]],
    attributes: { epsilon: { float: 1e-5 } },
    outputs: [[2, 3, 4], undefined, undefined, [2, 3, 4]],
  },
  {
    op: "EmbedLayerNormalization",
    inputs: [ids(7, [2, 3]), ids(2, [2, 3]), [7, 4], [5, 4], [2, 4], [4], [4], mask],
    attributes: { epsilon: { float: 1e-5 } },
    outputs: [[2, 3, 4], [2]],
  },
  {
    op: "Attention",
    inputs: [[2, 3, 8], [8, 24], [24], mask],
    attributes: { num_heads: 2 },
    outputs: [[2, 3, 8]],
  },
  {
    op: "Attention",
    inputs: [[2, 3, 8], [8, 24], [24]],
    attributes: { num_heads: 2, unidirectional: 1 },
    outputs: [[2, 3, 8]],
  },
  {
    op: "Attention",
    inputs: [[2, 3, 8], [8, 24], [24], undefined, [2, 2, 2, 4, 4]],
    attributes: { num_heads: 2, unidirectional: 1 },
    outputs: [
      [2, 3, 8],
      [2, 2, 2, 7, 4],
    ],
  },
  {
    op: "MultiHeadAttention",
    inputs: [[2, 3, 8], [2, 5, 8], [2, 5, 8], [24]],
    attributes: { num_heads: 2 },
    outputs: [[2, 3, 8]],
  },
  {
    op: "MultiHeadAttention",
    inputs: [[2, 3, 8], [2, 3, 8], [2, 3, 8], undefined, mask],
    attributes: { num_heads: 4 },
    outputs: [[2, 3, 8]],
  },
  {
    op: "RotaryEmbedding",
    inputs: [[2, 3, 8], positions, angles(Math.cos), angles(Math.sin)],
    attributes: { interleaved: 1 },
    outputs: [[2, 3, 8]],
  },
  {
    op: "RotaryEmbedding",
    inputs: [[2, 2, 3, 4], positions, angles(Math.cos), angles(Math.sin)],
    outputs: [[2, 2, 3, 4]],
  },
];

const backend = ortBackend({ threads: 1, cacheBytes: 1 });

describe("a fused operator", () => {
  test.each(cases.map((one, i) => [one.op, i] as const))("%s (case %i)", async (_, which) => {
    const { op, inputs, outputs, attributes } = cases[which]!;
    const r = random(which + 1);
    const feeds: Record<string, Tensor> = {};
    const names = inputs.map((given, i) => {
      if (given === undefined) return "";
      feeds[`x${i}`] = Array.isArray(given)
        ? f32(
            given,
            Float32Array.from({ length: sizeOf(given) }, () => r.normal()),
          )
        : (given as Tensor);
      return `x${i}`;
    });
    const kinds = outputs.map((_, i) =>
      op === "EmbedLayerNormalization" && i === 1 ? "int32" : "float32",
    );
    const bytes = modelOf(
      [
        {
          op,
          domain: "com.microsoft",
          inputs: names,
          outputs: outputs.map((shape, i) => (shape === undefined ? "" : `y${i}`)),
          attributes,
        },
      ],
      Object.entries(feeds).map(([name, { shape, dtype }]) => port(name, [...shape], dtype)),
      outputs.flatMap((shape, i) =>
        shape === undefined ? [] : [port(`y${i}`, shape, kinds[i] as "int32")],
      ),
    );
    const model = await readOnnx(bytes);
    expect(model.untouched).toEqual([]);
    const ours = interpret(model.outputs, feeds);
    const lowered = await (await backend.compile(writeOnnx(model))).run(feeds);
    const spec = ([name, { shape, dtype }]: [string, Tensor | (typeof model.outputs)[string]]) => ({
      name,
      shape,
      dtype,
    });
    const kernel = await backend.compile({
      bytes,
      inputs: Object.entries(feeds).map(spec),
      outputs: Object.entries(model.outputs).map(spec),
      hash: `kernel ${which}`,
      values: {},
    });
    const theirs = await kernel.run(feeds);
    for (const [name, wanted] of Object.entries(theirs)) {
      expect(ours[name]!.shape).toEqual(wanted.shape);
      for (const [i, y] of Array.from(wanted.data as Float32Array).entries()) {
        expect(Math.abs(Number(ours[name]!.data[i]) - y), `${name}[${i}]`).toBeLessThan(2e-5);
        expect(Math.abs(Number(lowered[name]!.data[i]) - y), `${name}[${i}]`).toBeLessThan(2e-5);
      }
    }
  });

  test("every claimed one has a case", () => {
    const claimed = claims().flatMap(({ key }) => key.split("com.microsoft:").slice(1));
    expect(new Set(claimed)).toEqual(new Set(cases.map(({ op }) => op)));
  });
});
