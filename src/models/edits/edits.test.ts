import fc from "fast-check";
import { expect, test } from "vitest";
import { distance } from "../../../test/golden/tensors.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import { memoryStore } from "../../storage/memory.ts";
import { f32, type Tensor } from "../../tensor/tensor.ts";
import { hashModel } from "../checkpoint.ts";
import type { Model } from "../config.ts";
import { hashTensor } from "./draft.ts";
import { foldNorms, parseEdit, type WeightEdit } from "./edit.ts";
import { editStack, parseStack, pushEdit, redoEdit, undoEdit, viewStack } from "./stack.ts";
import { runTiny, tinyConfig, tinyModel } from "./tiny.fixture.ts";
import { editModel } from "./view.ts";

const model = tinyModel();
const store = memoryStore();
const file = "other.safetensors";
const other = f32(
  [8, 9],
  Array.from({ length: 72 }, (_, i) => Math.sin(i)),
);
await writeSafetensors(store, file, { W_U: other });

const bitsOf = ({ data }: Tensor<"float32">) => hashTensor({ data } as Tensor<"float32">);
const stateOf = async (of: Model) => ({
  weights: hashModel(of.config, of.weights),
  logits: bitsOf((await runTiny(of)).logits!),
});

const number = fc.double({ min: -2, max: 2, noNaN: true });
const vector = (n: number) => fc.array(number, { minLength: n, maxLength: n });
const index = (n: number) => fc.integer({ min: 0, max: n - 1 });
const anyEdit: fc.Arbitrary<WeightEdit> = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    weight: fc.constant("blocks.1.mlp.W_in"),
    at: fc.tuple(index(8), index(10)).map((at) => [at]),
    values: vector(1),
  }),
  fc.record({
    kind: fc.constant("lowRank" as const),
    weight: fc.constantFrom("blocks.0.attn.W_Q", "blocks.1.attn.W_K"),
    head: index(2),
    left: fc.tuple(vector(8), vector(8)),
    right: fc.tuple(vector(4), vector(4)),
    scale: number,
  }),
  fc.record({
    kind: fc.constant("scale" as const),
    weight: fc.constant("embed.W_E"),
    axis: fc.constant(1),
    index: index(8),
    by: number,
  }),
  fc.record({ kind: fc.constant("zeroHead" as const), layer: index(2), head: index(2) }),
  fc.record({ kind: fc.constant("zeroNeuron" as const), layer: index(2), neuron: index(10) }),
  fc.constant({
    kind: "replace" as const,
    weight: "unembed.W_U",
    file,
    tensor: "W_U",
    sha256: hashTensor(other),
  }),
  fc
    .constantFrom(...(["foldNorms", "centreWritingWeights", "foldValueBiases"] as const))
    .map((kind) => ({ kind })),
);

test("random stacks: undone, weights and logits are what they were to the bit; redone, too", async () => {
  const before = await stateOf(model);
  await fc.assert(
    fc.asyncProperty(fc.array(anyEdit, { minLength: 1, maxLength: 5 }), async (edits) => {
      let stack = editStack(model);
      for (const edit of edits) stack = pushEdit(stack, edit);
      const first = await viewStack(model, stack, { store });
      const edited = await stateOf(first);
      for (const _ of edits) stack = undoEdit(stack);
      expect(await stateOf(await viewStack(model, stack, { store }))).toEqual(before);
      for (const _ of edits) stack = redoEdit(stack);
      // What JSON holds of the stack is the stack.
      stack = parseStack(JSON.parse(JSON.stringify(stack)));
      const again = await viewStack(model, stack, { store });
      expect(again.hash).toBe(first.hash);
      expect(await stateOf(again)).toEqual(edited);
      expect(await stateOf(model)).toEqual(before);
    }),
    { numRuns: 16, seed: 7 },
  );
});

test("each kind of edit moves the logits by more than 1e-3", async () => {
  const edits: WeightEdit[] = [
    {
      kind: "set",
      weight: "blocks.0.mlp.W_in",
      at: [
        [0, 0],
        [3, 2],
      ],
      values: [5, -5],
    },
    {
      kind: "lowRank",
      weight: "blocks.0.mlp.W_out",
      left: [Array(10).fill(1)],
      right: [[1, 0, 0, 0, 0, 0, 0, 2]],
      scale: 0.5,
    },
    { kind: "scale", weight: "blocks.0.attn.W_V", axis: 0, index: 1, by: 3 },
    { kind: "zeroHead", layer: 0, head: 1 },
    { kind: "zeroNeuron", layer: 0, neuron: 4 },
    { kind: "replace", weight: "unembed.W_U", file, tensor: "W_U", sha256: hashTensor(other) },
  ];
  const before = (await runTiny(model)).logits!;
  for (const edit of edits) {
    const view = await editModel(model, [edit], { store });
    expect(view.edits).toEqual([edit]);
    expect(view.processing).toEqual([]);
    expect(view.hash).not.toBe(model.hash);
    expect(distance((await runTiny(view)).logits!, before), edit.kind).toBeGreaterThan(1e-3);
  }
});

test("entries, rank-one updates and scalings are what they say", async () => {
  const W = model.weights["blocks.1.attn.W_O"]!; // [2, 4, 8]
  const u = [1, 2, 3, 4];
  const v = [1, 0, -1, 0.5, 0, 0, 0, 2];
  const { weights } = await editModel(model, [
    { kind: "lowRank", weight: "blocks.1.attn.W_O", head: 1, left: [u], right: [v], scale: 0.25 },
    { kind: "scale", weight: "blocks.1.attn.W_O", axis: 2, index: 0, by: 2 },
    { kind: "set", weight: "blocks.1.attn.W_O", at: [[0, 1, 2]], values: [7] },
  ]);
  const got = weights["blocks.1.attn.W_O"]!.data;
  for (let h = 0; h < 2; h++)
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 8; j++) {
        const at = (h * 4 + i) * 8 + j;
        let wanted = W.data[at]! + (h === 1 ? 0.25 * u[i]! * v[j]! : 0);
        if (j === 0) wanted *= 2;
        if (h === 0 && i === 1 && j === 2) wanted = 7;
        expect(got[at]).toBeCloseTo(wanted, 5);
      }
  expect(weights["blocks.0.attn.W_O"]).toBe(model.weights["blocks.0.attn.W_O"]);
});

test("a head that is zeroed writes nothing, and neither does a neuron", async () => {
  const view = await editModel(model, [
    { kind: "zeroHead", layer: 0, head: 1 },
    { kind: "zeroNeuron", layer: 1, neuron: 3 },
  ]);
  const result = "blocks.0.attn.hook_result";
  const out = await runTiny(view, undefined, [result]);
  const heads = out[result]!; // [2, 5, 2, 8]
  heads.data.forEach((x, i) => {
    if (Math.floor(i / 8) % 2 === 1) expect(x).toBe(0);
  });
  expect(view.weights["blocks.1.mlp.W_out"]!.data.subarray(24, 32)).toEqual(new Float32Array(8));
});

test("edits that cancel to the bit leave the hash alone", async () => {
  const half: WeightEdit = { kind: "scale", weight: "embed.W_E", axis: 0, index: 3, by: 0.5 };
  const edited = await editModel(model, [half]);
  expect(edited.hash).not.toBe(model.hash);
  expect((await editModel(model, [half, { ...half, by: 2 }])).hash).toBe(model.hash);
  const folded = await editModel(edited, [foldNorms]);
  expect(folded.edits.map(({ kind }) => kind)).toEqual(["scale", "foldNorms"]);
  expect(folded.processing).toEqual(["foldNorms"]);
});

test("the same edits are views over tensors that stay where they are stored", async () => {
  const names = Object.keys(model.weights);
  const { lazyWeights } = await import("../stored.ts");
  const stored = {
    sources: Object.fromEntries(
      names.map((name) => {
        const tensor = model.weights[name]!;
        return [`raw ${name}`, { kind: "memory" as const, shape: tensor.shape, tensor }];
      }),
    ),
    views: Object.fromEntries(names.map((name) => [name, { tensor: `raw ${name}`, steps: [] }])),
  };
  const kept: Model = { ...model, stored, weights: lazyWeights(stored) };
  const edits: WeightEdit[] = [foldNorms, { kind: "zeroHead", layer: 1, head: 0 }];
  const [a, b] = [await editModel(model, edits), await editModel(kept, edits)];
  expect(b.hash).toBe(a.hash);
  expect(distance((await runTiny(b)).logits!, (await runTiny(a)).logits!)).toBeLessThan(1e-5);
});

test("a tied model is untied by an edit of either side", async () => {
  const W_E = model.weights["embed.W_E"]!;
  const W_U = f32(
    [8, 9],
    Array.from({ length: 72 }, (_, i) => W_E.data[(i % 9) * 8 + Math.floor(i / 9)]!),
  );
  const tied: Model = {
    ...model,
    config: { ...tinyConfig, tied: true },
    weights: { ...model.weights, "unembed.W_U": W_U },
  };
  const view = await editModel(tied, [
    { kind: "scale", weight: "embed.W_E", axis: 0, index: 0, by: 3 },
  ]);
  expect(view.config.tied).toBe(false);
  expect(view.weights["unembed.W_U"]).toBe(W_U);
  expect((await editModel(tied, [{ kind: "zeroHead", layer: 0, head: 0 }])).config.tied).toBe(true);
});

const at = { kind: "set", weight: "embed.W_E", at: [[0, 0]], values: [1] };
const sha256 = "0".repeat(64);
const bad: [string, unknown, string][] = [
  ["no kind", {}, "edit/kind"],
  ["a kind from a prototype", { kind: "toString" }, "edit/kind"],
  ["a field too many", { ...at, by: 3 }, "edit/field"],
  ["infinity", { ...at, values: [1 / 0] }, "edit/field"],
  ["a negative index", { ...at, at: [[-1, 0]] }, "edit/field"],
  ["an index too large", { ...at, at: [[9, 0]] }, "edit/index"],
  ["too few indices", { ...at, at: [[0]] }, "edit/index"],
  ["fewer values than places", { ...at, values: [] }, "edit/shape"],
  ["a weight that is not there", { ...at, weight: "blocks.7.attn.W_Q" }, "edit/weight"],
  ["a head that is not there", { kind: "zeroHead", layer: 0, head: 2 }, "edit/index"],
  ["a layer that is not there", { kind: "zeroHead", layer: 2, head: 0 }, "edit/weight"],
  [
    "vectors that do not fit",
    { kind: "lowRank", weight: "embed.W_E", left: [[1]], right: [[1]], scale: 1 },
    "edit/shape",
  ],
  [
    "a matrix of a stack without its head",
    { kind: "lowRank", weight: "blocks.0.attn.W_Q", left: [], right: [], scale: 1 },
    "edit/shape",
  ],
  [
    "another tensor in the file",
    { kind: "replace", weight: "unembed.W_U", file, tensor: "W_U", sha256 },
    "edit/file",
  ],
  [
    "no such tensor",
    { kind: "replace", weight: "unembed.W_U", file, tensor: "x", sha256 },
    "edit/file",
  ],
  [
    "another shape",
    { kind: "replace", weight: "embed.W_E", file, tensor: "W_U", sha256 },
    "edit/shape",
  ],
];

test.each(bad)("%s is refused", async (_, json, code) => {
  const error = await editModel(model, [json as WeightEdit], { store }).catch((thrown) => thrown);
  expect(error.code).toBe(code);
});

test("stacks refuse another model, an empty undo, and what they cannot read", async () => {
  const empty = editStack(model);
  const code = (of: () => unknown) => {
    try {
      of();
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(code(() => undoEdit(empty))).toBe("edit/nothing");
  expect(code(() => redoEdit(empty))).toBe("edit/nothing");
  expect(code(() => parseStack({ done: [] }))).toBe("edit/stack");
  const wrong = await viewStack(tinyModel({}, 2), empty).catch((thrown) => thrown);
  expect(wrong.code).toBe("edit/model");
  expect(await viewStack(model, empty)).toBe(model);
  expect(parseEdit({ ...at, values: [-0] })).toEqual({ ...at, values: [0] });
});
