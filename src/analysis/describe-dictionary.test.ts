// A tiny model, a random dictionary and generated text: the path from activations to a bundle.
import { afterAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { openCoder } from "../dictionaries/coder.ts";
import { makeDictionary } from "../dictionaries/dictionary.ts";
import { poolControls } from "../evidence/control.ts";
import { makeLabels } from "../evidence/world.fixture.ts";
import { runWithCache } from "../hooks/index.ts";
import { initWeights, type ModelConfig, makeModel, permutedModel } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { tensor } from "../tensor/tensor.ts";
import type { TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { openBundle } from "./bundle-read.ts";
import { describeDictionary, groundOf, measureDictionary } from "./describe-dictionary.ts";
import { probeCeiling } from "./probe-ceiling.ts";

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
const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());

function rowsOf(seed: number): TokenRows {
  const labels = makeLabels(seed, { documents: 40, length: 60, d_vocab: 40 });
  return {
    ...labels,
    n_ctx: 20,
    rows: 120,
    contexts: [...labels.contexts],
  } as unknown as TokenRows;
}

const d_sae = 24;
const normal = (n: number, seed: number) => {
  const rng = random(seed);
  return Float32Array.from({ length: n }, () => rng.normal());
};
function randomDictionary() {
  const W_dec = normal(d_sae * 16, 1);
  for (let f = 0; f < d_sae; f++) {
    const row = W_dec.subarray(f * 16, (f + 1) * 16);
    const length = Math.hypot(...row);
    row.forEach((x, i) => {
      row[i] = x / length;
    });
  }
  return makeDictionary({
    architecture: "topk",
    d_in: 16,
    d_sae,
    k: 4,
    W_enc: normal(16 * d_sae, 2),
    b_enc: new Float32Array(d_sae),
    W_dec,
    b_dec: new Float32Array(16),
    scale: 2,
    metadata: { model: "tiny", site, seed: 3, tokens: 100 },
  });
}

const tokenizer: Tokenizer = {
  hash: "words",
  policy: { before: [], after: [], source: "none" },
  pieces: (ids: ArrayLike<number>) => Array.from(ids, (id) => ({ text: `t${id}` })),
} as unknown as Tokenizer;

test("columns, neurons and logits of a bundle are those of the model", async () => {
  const store = memoryStore();
  const dictionary = randomDictionary();
  const coder = await openCoder(dictionary, backend);
  const select = rowsOf(1);
  const judged = rowsOf(2);
  const seen: string[] = [];
  const { summary, ground } = await describeDictionary(
    {
      model,
      dictionary,
      tokenizer,
      select,
      eval: judged,
      store,
      prefix: "bundles/t",
      id: "t",
      revision: 1,
      onColumns: (split) => seen.push(split),
    },
    coder,
    backend,
  );
  expect(seen).toEqual(["select", "eval"]);
  expect(summary).toMatchObject({ d_sae, k: 4, n_tokens: 2400, state: "described", seed: 3 });
  // The slow path: all activations at once.
  const tokens = tensor("int32", [120, 20], judged.tokens);
  const { cache } = await runWithCache(model, backend, tokens, { sites: [site] });
  const acts = cache[site]!.data as Float32Array;
  const encoded = await coder.encode(acts);
  const bundle = await openBundle(store, "bundles/t");
  for (const row of await bundle.rows()) {
    let n = 0;
    let peak = 0;
    encoded.index.forEach((f, p) => {
      if (f !== row.index || !(encoded.value[p]! > 0)) return;
      n++;
      peak = Math.max(peak, encoded.value[p]!);
    });
    expect(row.density).toBeCloseTo(n / 2400, 4);
    expect(row.peak).toBeCloseTo(peak, 3);
    expect(row.dead).toBe(n === 0);
  }
  // The exact path to the logits: what one unit of the feature adds to them.
  const alive = (await bundle.rows()).find((row) => !row.dead)!.index;
  const page = await bundle.readPage(alive);
  const W_out = model.weights["blocks.0.mlp.W_out"]!.data;
  const W_U = model.weights["unembed.W_U"]!.data;
  const logits = Array.from({ length: 40 }, (_, v) => {
    let sum = 0;
    for (let i = 0; i < 16; i++)
      for (let m = 0; m < 8; m++)
        sum += (dictionary.W_dec[alive * 16 + i]! / 2) * W_out[i * 8 + m]! * W_U[m * 40 + v]!;
    return sum;
  });
  const sorted = [...logits].sort((a, b) => a - b);
  expect(page.logits.up[0]!.value).toBeCloseTo(sorted[39]! - (sorted[19]! + sorted[20]!) / 2, 4);
  expect(page.logits.up[0]!.token).toBe(logits.indexOf(sorted[39]!));
  // Every claim about correlation stands beside the best neuron.
  const claim = page.claims.find((c) => c.metric === "r_given_token");
  if (claim) expect(claim.baselines[0]!.kind).toBe("best-neuron");
  expect(page.neurons.best!.neuron).toBeLessThan(16);
  expect(ground.contexts.length).toBeGreaterThan(0);
  await coder.release();
});

test("nothing about contexts holds in a random dictionary, with the permuted model as control", async () => {
  const store = memoryStore();
  const dictionary = randomDictionary();
  const coder = await openCoder(dictionary, backend);
  const text = { select: rowsOf(1), eval: rowsOf(2) };
  const ground = await groundOf(text, backend, { d_vocab: 40 });
  const { figures, shapes } = await measureDictionary(
    { model: permutedModel(model, 1), dictionary, ...text },
    ground,
    coder,
    backend,
  );
  const names = ground.contexts.map((c) => text.eval.contexts[c]!);
  const control = poolControls("permuted-weights", [figures], names, shapes);
  const { summary, rows } = await describeDictionary(
    {
      model,
      dictionary,
      tokenizer,
      ...text,
      store,
      prefix: "b",
      id: "b",
      revision: 0,
      control,
      storeActivations: false,
    },
    coder,
    backend,
  );
  expect(summary.state).toBe("controlled");
  const page = await (await openBundle(store, "b")).readPage(rows.find((row) => !row.dead)!.index);
  expect(page.activation.control).toHaveLength(44);
  const ceiling = await probeCeiling({ model, site, ...text }, ground, backend, { limit: 500 });
  for (const name of names) expect(ceiling[name]!.value).toBeLessThan(0.6);
  for (const row of rows) expect(row.reading?.verdict ?? "fails").not.toBe("holds");
  expect((await openBundle(store, "b")).activations).toBeNull();
  await coder.release();
});
