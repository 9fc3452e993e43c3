// Neurons as units: what is recorded is what the model computes, and a model of random weights claims nothing.
import { afterAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { poolControls } from "../evidence/control.ts";
import { columnOf } from "../evidence/judge.ts";
import { makeLabels } from "../evidence/world.fixture.ts";
import { runWithCache } from "../hooks/index.ts";
import { initWeights, type ModelConfig, makeModel, permutedModel } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { tensor } from "../tensor/tensor.ts";
import type { TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { openBundle } from "./bundle-read.ts";
import { groundOf } from "./describe-dictionary.ts";
import { describeNeurons, measureNeurons } from "./describe-neurons.ts";
import { neuronThreshold, recordNeurons } from "./neuron-units.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 16,
  d_vocab: 40,
  n_ctx: 20,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};
const site = "blocks.0.mlp.hook_post";
const model = makeModel(config, initWeights(config, random(5)));
const smooth = makeModel({ ...config, act_fn: "gelu" }, model.weights);
const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const tokenizer = {
  hash: "words",
  policy: { before: [], after: [], source: "none" },
  pieces: (ids: ArrayLike<number>) => Array.from(ids, (id) => ({ text: `t${id}` })),
} as unknown as Tokenizer;

function rowsOf(seed: number): TokenRows {
  const labels = makeLabels(seed, { documents: 40, length: 60, d_vocab: 40 });
  const shape = { n_ctx: 20, rows: 120, contexts: [...labels.contexts] };
  return { ...labels, ...shape } as unknown as TokenRows;
}
const text = { select: rowsOf(1), eval: rowsOf(2) };

async function valuesOf(of: typeof model, rows: TokenRows, at = site): Promise<Float32Array> {
  const tokens = tensor("int32", [120, 20], rows.tokens);
  const { cache } = await runWithCache(of, backend, tokens, { sites: [at] });
  return cache[at]!.data as Float32Array;
}

test("after a ReLU a neuron is active above zero, and the columns hold every such value", async () => {
  const source = { model, site, backend };
  const threshold = await neuronThreshold(source, text.select);
  expect(threshold).toBe(0);
  const columns = await recordNeurons(text.eval, source, { threshold });
  const acts = await valuesOf(model, text.eval);
  for (let neuron = 0; neuron < 16; neuron++) {
    const { token, value } = columnOf(columns, neuron);
    const wanted: [number, number][] = [];
    for (let t = 0; t < 2400; t++)
      if (acts[t * 16 + neuron]! > 0) wanted.push([t, acts[t * 16 + neuron]!]);
    expect(Array.from(token, (t, i) => [t, value[i]])).toEqual(wanted);
  }
});

test("a site that is never off has the threshold that a tenth of its values exceed", async () => {
  for (const at of [site, "blocks.0.hook_resid_post"]) {
    const source = { model: smooth, site: at, backend };
    const threshold = await neuronThreshold(source, text.select);
    const acts = await valuesOf(smooth, text.select, at);
    const above = acts.filter((a) => a > threshold).length / acts.length;
    expect(above).toBeCloseTo(0.1, 3);
    const { token } = await recordNeurons(text.select, source, { threshold });
    expect(token.length).toBe(Math.round(above * acts.length));
  }
});

test("where there would be too many active pairs the threshold rises until there are not", async () => {
  const source = { model, site, backend };
  const threshold = await neuronThreshold(source, text.select, { pairs: 2000 });
  const { token } = await recordNeurons(text.select, source, { threshold });
  expect(token.length).toBeLessThanOrEqual(2000);
  expect(token.length).toBeGreaterThan(1900);
});

test("a neuron's page has its logits, its control, and no neuron as its rival", async () => {
  const store = memoryStore();
  const ground = await groundOf(text, backend, { d_vocab: 40 });
  const at = { site, backend, ground, ...text };
  const { figures, shapes } = await measureNeurons({ ...at, model: permutedModel(model, 1) });
  const names = ground.contexts.map((c) => text.eval.contexts[c]!);
  const control = poolControls("permuted-weights", [figures], names, shapes);
  const { summary, rows } = await describeNeurons({
    ...at,
    model,
    tokenizer,
    store,
    prefix: "n",
    id: "tiny-neurons",
    revision: 1,
    control,
  });
  expect(summary).toMatchObject({ unit: "neuron", threshold: 0, d_in: 16, d_sae: 16 });
  expect(summary.state).toBe("controlled");
  for (const row of rows) expect(row.reading?.verdict ?? "fails").not.toBe("holds");
  const bundle = await openBundle(store, "n");
  expect(bundle.manifest.inputs).toMatchObject({ model: model.hash, processing: "none" });
  const alive = rows.find((row) => !row.dead)!.index;
  const page = await bundle.readPage(alive);
  expect(page.neurons.top[0]).toEqual({ neuron: alive, share: 1 });
  for (const claim of page.claims)
    expect(claim.baselines.map(({ kind }) => kind)).not.toContain("best-neuron");
  // What one unit of the neuron adds to the logits: its row of W_out through W_U.
  const W_out = model.weights["blocks.0.mlp.W_out"]!.data;
  const W_U = model.weights["unembed.W_U"]!.data;
  const logits = Array.from({ length: 40 }, (_, v) => {
    let sum = 0;
    for (let m = 0; m < 8; m++) sum += W_out[alive * 8 + m]! * W_U[m * 40 + v]!;
    return sum;
  });
  const sorted = [...logits].sort((a, b) => a - b);
  expect(page.logits.up[0]!.token).toBe(logits.indexOf(sorted[39]!));
  // Neighbours write nearly the same direction.
  const row = (f: number) => W_out.subarray(f * 8, (f + 1) * 8);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const cosine = (f: number) =>
    dot(row(alive), row(f)) / Math.sqrt(dot(row(alive), row(alive)) * dot(row(f), row(f)));
  const others = Array.from({ length: 16 }, (_, f) => f).filter((f) => f !== alive);
  const nearest = others.reduce((best, f) => (cosine(f) > cosine(best) ? f : best));
  expect(page.nearest[0]!.index).toBe(nearest);
  expect(page.nearest[0]!.cosine).toBeCloseTo(cosine(nearest), 3);
});
