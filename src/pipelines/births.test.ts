import { describe, expect, test } from "vitest";
import { type GrowthLine, type ModelConfig, weightShapes } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { type Tensor, tensor, zeros } from "../tensor/tensor.ts";
import { birthsOf, headReadings } from "./births.ts";

const n_ctx = 128;
const config: ModelConfig = {
  name: "made by hand",
  n_layers: 1,
  d_model: n_ctx,
  n_heads: 2,
  d_head: n_ctx,
  d_mlp: 1,
  d_vocab: 100,
  n_ctx,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};

/** Positions are one-hot; head 1 asks for the position before its own. All else is nothing. */
function lookingBack(): Record<string, Tensor<"float32">> {
  const weights = Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => [name, zeros("float32", shape)]),
  );
  const eye = (shift: number, scale: number): Float32Array =>
    Float32Array.from({ length: n_ctx * n_ctx }, (_, i) =>
      Math.floor(i / n_ctx) === (i % n_ctx) + shift ? scale : 0,
    );
  const heads = (shift: number, scale: number): Tensor<"float32"> => {
    const data = new Float32Array(2 * n_ctx * n_ctx);
    data.set(eye(shift, scale), n_ctx * n_ctx);
    return tensor("float32", [2, n_ctx, n_ctx], data);
  };
  return {
    ...weights,
    "pos_embed.W_pos": tensor("float32", [n_ctx, n_ctx], eye(0, 1)),
    "blocks.0.attn.W_Q": heads(1, 1000),
    "blocks.0.attn.W_K": heads(0, 1),
  };
}

describe("the birth of heads", () => {
  const backend = ortBackend({ threads: 1 });

  test("is read off the weights: a head made to look back does, one made of zeros looks everywhere", async () => {
    const { previous, induction, repeat } = await headReadings(config, backend)(lookingBack());
    expect(previous![1]).toBeCloseTo(1, 6);
    // Uniform attention: the mean of 1 / (query + 1) over queries that have a token before them.
    const uniform = Array.from({ length: n_ctx - 1 }, (_, i) => 1 / (i + 2));
    expect(previous![0]).toBeCloseTo(uniform.reduce((a, b) => a + b, 0) / (n_ctx - 1), 6);
    expect(induction![1]).toBeCloseTo(0, 6);
    // No logits: ln d_vocab on both readings.
    expect(repeat![0]).toBeCloseTo(Math.log(100), 5);
    expect(repeat![1]).toBeCloseTo(Math.log(100), 5);
  });

  test("is dated by the first measurement above the bar, and what never came is said", async () => {
    const line = (tokens: number, previous: number): GrowthLine => ({
      step: tokens / 1e6,
      tokens,
      loss: 4,
      lr: 1,
      gradNorm: 1,
      tokensPerSecond: 1,
      readings: {
        previous: [0.04, previous],
        duplicate: [0, 0],
        induction: [0, 0],
        repeat: [9, 8.5],
      },
    });
    const lines = [line(1e6, 0.1), line(2e6, 0.6), line(3e6, 0.9)];
    const text = await birthsOf(config, lookingBack(), lines, backend);
    expect(text).toMatch(/\| previous \| 0\.1 \| 1\.00 \| 0\.03 \| 0\.\d\d \| 2\.0 M tokens \|/);
    expect(text).toMatch(/\| induction \| 0\.\d \| 0\.\d\d .* \| not yet \|/);
    expect(text).toContain("| 3.0 | 0.90 | 0.00 | 0.00 | 9.00 | 8.50 |");
  });
});
