// Does the lens say what TransformerLens' does, and does a tuned one say on unseen texts more than the plain?
import { expect, test } from "vitest";
import { unpack } from "../../test/golden/tensors.ts";
import { random } from "../base/random.ts";
import { compareLogits, runWithCache } from "../hooks/index.ts";
import { tinyModel } from "../hooks/tiny.fixture.ts";
import { loadOrganism, type Model } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import { logitLens } from "./lens.ts";
import { numbers, readings, tokens } from "./reading.fixture.ts";
import { judgeTunedLens, trainTunedLens } from "./tuned-lens.ts";

const ort = ortBackend({ threads: 1 });

test.each(readings)(
  "$name: the lens is TransformerLens' at every layer",
  async ({ model, read }) => {
    const n = model.config.d_vocab;
    const lens = await logitLens(model, ort, tokens, { k: n });
    expect(lens.layers.map(({ site }) => site)).toEqual([
      "blocks.0.hook_resid_pre",
      "blocks.1.hook_resid_pre",
      "blocks.1.hook_resid_post",
    ]);
    const all = numbers(read.lens.logits);
    const size = all.length / 3;
    const final = unpack(read.logits);
    for (const [layer, found] of lens.layers.entries()) {
      const wanted = f32([2, 10, n], all.subarray(layer * size, (layer + 1) * size));
      const { kl } = compareLogits(final, wanted, tokens);
      for (let t = 0; t < 20; t++) {
        expect(found.kl[t]).toBeCloseTo(kl[t]!, 4);
        const logits = wanted.data.subarray(t * n, (t + 1) * n);
        const norm = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
        for (let i = 0; i < n; i++) {
          const id = found.top[t * n + i]!;
          expect(found.logProbability[t * n + i]).toBeCloseTo(logits[id]! - norm, 4);
        }
        const came = logits[tokens.data[t + 1]!]!;
        if (t % 10 < 9) {
          expect(found.ce[t]).toBeCloseTo(norm - came, 4);
          expect(found.rank[t]).toBe(logits.filter((x) => x > came).length);
        } else {
          expect(found.ce[t]).toBeNaN();
          expect(found.rank[t]).toBe(-1);
        }
      }
      expect(found.meanKL.controls[0]!.kind).toBe("constant");
    }
    expect(lens.layers[2]!.meanKL.value).toBeCloseTo(0, 6);
  },
);

test("the control is the KL to the mean prediction, as a constant says it too", async () => {
  const { model } = readings[0]!;
  const lens = await logitLens(model, ort, tokens);
  const again = await logitLens(model, ort, tokens, { constant: lens.meanPrediction });
  const [a, b] = [lens, again].map(({ layers }) => layers[0]!.meanKL.controls[0]!.value);
  expect(b).toBeCloseTo(a!, 5);
  // The mean prediction is the constant that loses least.
  const n = model.config.d_vocab;
  const even = await logitLens(model, ort, tokens, { constant: new Float64Array(n).fill(1 / n) });
  expect(even.layers[0]!.meanKL.controls[0]!.value).toBeGreaterThan(a!);
});

function texts(model: Model, rows: number, seed: number) {
  const { n_ctx, d_vocab } = model.config;
  const rng = random(seed);
  const n = rows * n_ctx;
  return {
    n_ctx,
    rows,
    tokens: Int32Array.from({ length: n }, () => rng.int(d_vocab)),
    doc: Int32Array.from({ length: n }, (_, t) => Math.floor(t / n_ctx)),
    documents: Array.from({ length: rows }, (_, i) => ({ id: String(i) })),
  };
}

test("a tuned lens is better than the plain one and the constant on rows it never saw", async () => {
  const model = tinyModel(5);
  const lens = await trainTunedLens(model, ort, texts(model, 64, 1), { steps: 200, lr: 2e-2 });
  expect(lens.losses.at(-1)!).toBeLessThan(0.6 * lens.losses[0]!);
  const verdicts = await judgeTunedLens(model, ort, lens, texts(model, 48, 2));
  expect(verdicts.map(({ site }) => site)).toEqual([
    "blocks.0.hook_resid_pre",
    "blocks.1.hook_resid_pre",
  ]);
  for (const { claim, plain, gain } of verdicts) {
    expect(claim.estimate.value).toBeLessThan(plain.value);
    expect(gain.low).toBeGreaterThan(0);
    expect(gain.value).toBeCloseTo(plain.value - claim.estimate.value, 8);
    expect(claim.control!.kind).toBe("constant");
    expect(claim.verdict).toBe("holds");
  }
});

test("translators before any step are the plain lens, and one step lowers the loss as its gradient says", async () => {
  const model = tinyModel(6);
  const rows = texts(model, 4, 3);
  const still = await trainTunedLens(model, ort, rows, { steps: 0 });
  expect(still.A[0]!.data.every((x) => x === 0)).toBe(true);
  const ids = tensor("int32", [4, 8], rows.tokens);
  const plain = await logitLens(model, ort, ids);
  const same = await logitLens(model, ort, ids, { translators: still });
  for (const [i, { kl }] of plain.layers.entries())
    for (let t = 0; t < 32; t++) expect(same.layers[i]!.kl[t]).toBeCloseTo(kl[t]!, 6);
  const moved = await trainTunedLens(model, ort, rows, { steps: 1, batch: 4, lr: 1e-4 });
  const after = await logitLens(model, ort, ids, { translators: moved });
  for (const layer of [0, 1])
    expect(after.layers[layer]!.meanKL.value).toBeLessThan(plain.layers[layer]!.meanKL.value);
  expect(moved.losses[0]).toBeCloseTo(
    (plain.layers[0]!.meanKL.value + plain.layers[1]!.meanKL.value) / 2,
    4,
  );
});

test("field-1l: the lens after its last block is the model, the one before its first is not", async () => {
  const organism = await loadOrganism("field-1l");
  const text =
    "The contract shall remain in force until it is terminated by either of the parties.";
  const ids = organism.tokenizer!.encode(text);
  const rows = tensor("int32", [1, ids.length], ids);
  const { layers } = await logitLens(organism, ort, rows, { k: 1 });
  const { logits } = await runWithCache(organism, ort, rows);
  const n = organism.config.d_vocab;
  const best = Array.from(ids, (_, t) => {
    const row = logits!.data.subarray(t * n, (t + 1) * n);
    return row.indexOf(Math.max(...row));
  });
  expect([...layers[1]!.top]).toEqual(best);
  expect(layers[1]!.meanKL.value).toBeCloseTo(0, 5);
  expect(layers[0]!.meanKL.value).toBeGreaterThan(0.1);
});
