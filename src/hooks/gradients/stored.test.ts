// Gradients with respect to what a checkpoint holds: its own tensors, and the weights that are views of them.
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bindWeights, makeModel, openModel, readWeight } from "../../models/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { gradients } from "./gradients.ts";

const backend = ortBackend({ threads: 1 });
const tokens = tensor("int32", [1, 6], Int32Array.of(3, 1, 4, 1, 5, 9));
const of = { kind: "crossEntropy" } as const;

/** The same numbers with each weight in memory of its own: nothing is tied. */
async function untied(folder: string) {
  const model = await openModel(folder, { tokenizer: null });
  const weights: Record<string, Tensor<"float32">> = {};
  for (const name of Object.keys(bindWeights(model).values)) {
    const { shape, data } = await readWeight(model, name);
    weights[name] = tensor("float32", shape, Float32Array.from(data));
  }
  return { model, own: makeModel(model.config, weights) };
}

describe("in a checkpoint whose embedding and unembedding are one tensor", async () => {
  const { model, own } = await untied("test/golden/families/gpt2");
  const names = ["embed.W_E", "unembed.W_U", "blocks.0.attn.W_Q", "blocks.0.attn.W_K"];
  const wanted = (await gradients(own, backend, tokens, { of, weights: names })).weights;

  test("each of the two weights has its own gradient", async () => {
    const got = (await gradients(model, backend, tokens, { of, weights: names })).weights;
    for (const name of names) expect(far(got[name]!, wanted[name]!), name).toBeLessThan(1e-6);
  });

  test("the tensor has the sum, in its own layout, as autograd gives it", async () => {
    const stored = ["transformer.wte.weight", "transformer.h.0.attn.c_attn.weight"];
    const got = (await gradients(model, backend, tokens, { of, weights: stored })).weights;
    const { data: W_U, shape } = wanted["unembed.W_U"]!;
    const [d_model, d_vocab] = shape as [number, number];
    const sum = wanted["embed.W_E"]!.data.map(
      (x, i) => x + W_U[(i % d_model) * d_vocab + Math.floor(i / d_model)]!,
    );
    expect(far(got[stored[0]!]!, tensor("float32", [d_vocab, d_model], sum))).toBeLessThan(1e-6);
    // Queries lie in the first third of each row of c_attn: [head, d_model, d_head] side by side.
    const { n_heads, d_head } = model.config;
    const c_attn = got[stored[1]!]!;
    expect(c_attn.shape).toEqual([d_model, 3 * n_heads * d_head]);
    const queries = wanted["blocks.0.attn.W_Q"]!.data.map((_, i) => {
      const [head, row, column] = [
        Math.floor(i / (d_model * d_head)),
        Math.floor(i / d_head) % d_model,
        i % d_head,
      ];
      return c_attn.data[row * 3 * n_heads * d_head + head * d_head + column]!;
    });
    const { shape: ofQ } = wanted["blocks.0.attn.W_Q"]!;
    expect(far(tensor("float32", ofQ, queries), wanted["blocks.0.attn.W_Q"]!)).toBeLessThan(1e-6);
  });

  test("what it does not hold is refused", async () => {
    await expect(
      gradients(model, backend, tokens, { of, weights: ["transformer.wte"] }),
    ).rejects.toMatchObject({ code: "gradients/weight" });
  });
});

/** Fused and stacked tensors of every kind: queries, keys and values, gate and up, experts. */
test.each(readdirSync("test/golden/families"))(
  "in a checkpoint of %s, every weight has the gradient that it has by itself",
  async (family) => {
    const { model, own } = await untied(`test/golden/families/${family}`);
    const weights = Object.keys(bindWeights(model).values);
    const ask = { of, weights };
    const wanted = (await gradients(own, backend, tokens, ask)).weights;
    const got = (await gradients(model, backend, tokens, ask)).weights;
    for (const name of weights) {
      const largest = wanted[name]!.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      expect(far(got[name]!, wanted[name]!) / largest, name).toBeLessThan(1e-5);
    }
  },
);

function far(a: Tensor<"float32">, b: Tensor<"float32">): number {
  expect(a.shape).toEqual(b.shape);
  return a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - b.data[i]!)), 0);
}
