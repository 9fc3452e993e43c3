// Do circuits read off weights agree with TransformerLens' factored matrices?
import { expect, test } from "vitest";
import { ortBackend } from "../runtime/index.ts";
import { compositionScores } from "./composition.ts";
import { copyingScore, copyingScores } from "./copying.ts";
import { numbers, readings } from "./reading.fixture.ts";
import { fullCircuit, tokenCircuit } from "./token-circuits.ts";

const ort = ortBackend({ threads: 1 });

test.each(readings)("$name: copying scores are those of the OV eigenvalues", async (golden) => {
  const heads = await copyingScores(golden.model, ort);
  expect(heads.map(({ layer, head }) => [layer, head])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  for (const [i, { score, eigenvalues }] of heads.entries()) {
    const wanted = golden.read.circuits.eigenvalues[i]!;
    const got = Array.from(eigenvalues.re, (re, j) => [re, eigenvalues.im[j]!] as const);
    for (const [re, im] of wanted)
      expect(Math.min(...got.map(([x, y]) => Math.hypot(x - re, y - im)))).toBeLessThan(1e-4);
    const [re, im] = [0, 1].map((at) => Float64Array.from(wanted, (pair) => pair[at]!));
    expect(score.value).toBeCloseTo(copyingScore({ re: re!, im: im! }), 4);
    const [control] = score.controls;
    expect(control).toMatchObject({ kind: "permuted-weights", draws: 16 });
    expect(Math.abs(control!.value)).toBeLessThan(0.7);
  }
});

test.each(readings)("$name: composition scores are TransformerLens'", async ({ model, read }) => {
  const found = await compositionScores(model, ort);
  expect(found).toHaveLength(3 * 4);
  for (const { kind, from, to, score } of found) {
    const all = numbers(read.circuits.composition[kind]);
    const at = ((from.layer * 2 + from.head) * 2 + to.layer) * 2 + to.head;
    expect(score.value).toBeCloseTo(all[at]!, 5);
    expect(score.controls[0]).toMatchObject({ kind: "random-weights", draws: 16 });
  }
});

test.each(readings)("$name: QK and OV through embeddings are the products", async (golden) => {
  const { model, read } = golden;
  const n = model.config.d_vocab;
  for (const circuit of ["QK", "OV"] as const)
    for (const layer of [0, 1])
      for (const head of [0, 1]) {
        const whole = numbers(read.circuits[circuit]).subarray(
          (layer * 2 + head) * n * n,
          (layer * 2 + head + 1) * n * n,
        );
        const { data } = await fullCircuit(model, { layer, head, circuit });
        expect(Math.max(...data.map((x, i) => Math.abs(x - whole[i]!)))).toBeLessThan(1e-5);
        const found = await tokenCircuit(model, ort, { layer, head, circuit, scale: "none", k: 5 });
        const sorted = Array.from(whole, (value, i) => ({ value, i })).sort(
          (a, b) => b.value - a.value,
        );
        expect(found.top.map(({ from, to }) => from * n + to)).toEqual(
          sorted.slice(0, 5).map(({ i }) => i),
        );
        expect(found.largest.value).toBeCloseTo(sorted[0]!.value, 4);
        expect(found.largest.controls[0]!.draws).toBe(2);
        let own = 0;
        for (let i = 0; i < n; i++) {
          const row = whole.subarray(i * n, (i + 1) * n);
          if (row.filter((x) => x > row[i]!).length < 10) own += 1 / n;
        }
        expect(found.own.value).toBeCloseTo(own, 10);
      }
});

test("a head that copies has score 1, one that suppresses −1", async () => {
  const { model } = readings[1]!;
  const identity = { re: Float64Array.of(2, 3), im: Float64Array.of(0, 0) };
  expect(copyingScore(identity)).toBe(1);
  expect(copyingScore({ re: Float64Array.of(-2, -1), im: Float64Array.of(0, 0) })).toBe(-1);
  expect(copyingScore({ re: Float64Array.of(0, 0), im: Float64Array.of(0, 0) })).toBe(0);
  // Random weights have no reason to copy: over all heads and draws the score is about zero.
  const heads = await copyingScores(model, ort, { draws: 200 });
  const mean = heads.reduce((sum, { score }) => sum + score.controls[0]!.value / 4, 0);
  expect(Math.abs(mean)).toBeLessThan(0.15);
});
