// Are attention scores those of TransformerLens' head detector, and of heads that are known by construction?
import { expect, test } from "vitest";
import { tinyModel } from "../hooks/tiny.fixture.ts";
import { makeModel } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { tensor } from "../tensor/tensor.ts";
import { attentionPatterns, headScores, repeatedTokens } from "./heads.ts";
import { numbers, readings, tokens } from "./reading.fixture.ts";

const ort = ortBackend({ threads: 1 });
const detected = {
  previous: "previous_token_head",
  duplicate: "duplicate_token_head",
  induction: "induction_head",
} as const;

test.each(readings)("$name: scores are the head detector's", async ({ model, read }) => {
  for (const row of [0, 1]) {
    const one = tensor("int32", [1, 10], tokens.data.slice(row * 10, (row + 1) * 10));
    const found = await headScores(model, ort, one, { draws: 1 });
    for (const [relation, name] of Object.entries(detected) as [keyof typeof detected, never][]) {
      const wanted = numbers(read.scores[name]).subarray(row * 4, row * 4 + 4);
      // The detector divides by all queries, we by those that have such a key.
      const ids = [...one.data];
      const queries = ids.filter((id, q) =>
        relation === "previous" ? q > 0 : ids.indexOf(id) < q,
      );
      for (const [i, { scores }] of found.entries()) {
        const { value, controls } = scores[relation];
        expect((value * queries.length) / 10).toBeCloseTo(wanted[i]!, 5);
        expect(controls.map(({ kind }) => kind)).toEqual(["uniform-attention", "permuted-weights"]);
      }
    }
  }
});

test("a head that attends evenly scores what uniform attention does", async () => {
  const model = tinyModel(2);
  const W_Q = model.weights["blocks.0.attn.W_Q"]!;
  const b_Q = model.weights["blocks.0.attn.b_Q"]!;
  const even = makeModel(model.config, {
    ...model.weights,
    "blocks.0.attn.W_Q": tensor("float32", W_Q.shape, new Float32Array(W_Q.data.length)),
    "blocks.0.attn.b_Q": tensor("float32", b_Q.shape, new Float32Array(b_Q.data.length)),
  });
  const rows = repeatedTokens(even, { rows: 4, length: 4 });
  expect(rows.shape).toEqual([4, 8]);
  const found = await headScores(even, ort, rows, { draws: 0 });
  for (const { layer, scores } of found)
    for (const { value, controls } of Object.values(scores)) {
      expect(value).toBeGreaterThan(0);
      if (layer === 0) expect(value).toBeCloseTo(controls[0]!.value, 6);
    }
  // Query 4 to 7 of a row, each with one key among q + 1.
  const wanted = [5, 6, 7, 8].reduce((sum, n) => sum + 1 / n / 4, 0);
  expect(found[0]!.scores.induction.controls[0]!.value).toBeCloseTo(wanted, 12);
});

test("rows are repeated random tokens, and patterns are one a layer", async () => {
  const model = tinyModel(2);
  const rows = repeatedTokens(model, { rows: 3, length: 3, bos: 5, seed: 2 });
  expect(rows.shape).toEqual([3, 7]);
  for (let row = 0; row < 3; row++) {
    const ids = [...rows.data.subarray(row * 7, (row + 1) * 7)];
    expect(ids[0]).toBe(5);
    expect(ids.slice(1, 4)).toEqual(ids.slice(4));
    expect(new Set(ids).size).toBe(4);
  }
  const patterns = await attentionPatterns(model, ort, rows);
  expect(patterns.map(({ shape }) => shape)).toEqual([
    [3, 2, 7, 7],
    [3, 2, 7, 7],
  ]);
});
