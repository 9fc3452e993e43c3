import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { distance, type Packed, unpack, unpackAll } from "../../../test/golden/tensors.ts";
import { tensor } from "../../tensor/tensor.ts";
import { makeModel } from "../checkpoint.ts";
import type { ModelConfig } from "../config.ts";
import {
  centreUnembed,
  centreWritingWeights,
  foldNorms,
  foldValueBiases,
  parseEdit,
  type WeightEdit,
} from "./edit.ts";
import { logProbs, runTiny, tinyModel } from "./tiny.fixture.ts";
import { editModel } from "./view.ts";

interface Processed {
  kinds: string[];
  logits: Packed;
  sites: Record<string, Packed>;
  weights: Record<string, Packed>;
}
const golden = JSON.parse(readFileSync("test/golden/processing.json", "utf8")) as {
  config: ModelConfig;
  tokens: { shape: [number, number]; ids: number[] };
  weights: Record<string, Packed>;
  raw: Processed;
  processed: Processed[];
};
const model = makeModel(golden.config, unpackAll(golden.weights));
const tokens = tensor("int32", golden.tokens.shape, Int32Array.from(golden.tokens.ids));
const close = 2e-5;

test("unprocessed, the model is TransformerLens' own", async () => {
  const sites = Object.keys(golden.raw.sites);
  const out = await runTiny(model, tokens, sites);
  expect(distance(out.logits!, unpack(golden.raw.logits))).toBeLessThan(close);
  for (const site of sites)
    expect(distance(out[site]!, unpack(golden.raw.sites[site]!)), site).toBeLessThan(close);
});

describe.each(golden.processed)("$kinds", ({ kinds, logits, sites, weights }) => {
  test("weights, logits and residual stream are TransformerLens' after its processing", async () => {
    const edits = kinds.map((kind) => parseEdit({ kind }));
    const view = await editModel(model, edits);
    expect(view.processing).toEqual(kinds);
    expect(view.hash).not.toBe(model.hash);
    for (const [name, wanted] of Object.entries(weights))
      expect(distance(view.weights[name]!, unpack(wanted)), name).toBeLessThan(close);
    const out = await runTiny(view, tokens, Object.keys(sites));
    expect(distance(out.logits!, unpack(logits))).toBeLessThan(close);
    for (const [site, wanted] of Object.entries(sites))
      expect(distance(out[site]!, unpack(wanted)), site).toBeLessThan(close);
  });

  test("log-probabilities stay, and logits where the unembedding is left as it is", async () => {
    const [before, after] = [unpack(golden.raw.logits), unpack(logits)];
    expect(distance(logProbs(after), logProbs(before))).toBeLessThan(close);
    if (!kinds.includes("centreUnembed")) expect(distance(after, before)).toBeLessThan(close);
    else expect(distance(after, before)).toBeGreaterThan(1e-2);
  });

  test("the stream changes where writers were centred and nowhere else", () => {
    const moved = Math.max(
      ...Object.entries(sites).map(([site, x]) =>
        distance(unpack(x), unpack(golden.raw.sites[site]!)),
      ),
    );
    if (kinds.includes("centreWritingWeights")) expect(moved).toBeGreaterThan(1e-2);
    else expect(moved).toBeLessThan(close);
  });
});

test("what was there is not written, and without edits it comes back bit by bit", async () => {
  const before = model.weights["blocks.0.attn.W_Q"]!.data.slice();
  await editModel(model, [foldNorms, centreWritingWeights, centreUnembed, foldValueBiases]);
  expect(model.weights["blocks.0.attn.W_Q"]!.data).toEqual(before);
  const none = await editModel(model, []);
  expect(none.hash).toBe(model.hash);
  expect(none.processing).toEqual([]);
});

const variants: [string, Partial<ModelConfig>, WeightEdit[]][] = [
  ["RMS", { normalization: "RMS" }, [foldNorms]],
  ["RMS with an offset, gated", { normalization: "RMS", norm_offset: 1, gated: true }, [foldNorms]],
  ["parallel blocks that share a norm", { parallel: "shared" }, [foldNorms, centreWritingWeights]],
  ["parallel blocks", { parallel: "separate" }, [foldNorms, centreWritingWeights]],
  ["grouped values", { n_key_value_heads: 1 }, [foldValueBiases, foldNorms]],
  [
    "readers without biases",
    { biases: { unembed: false, qkv: false, mlp: false } },
    [foldNorms, foldValueBiases],
  ],
  ["attention only", { attn_only: true }, [foldNorms, centreWritingWeights, foldValueBiases]],
  ["norms on both sides", { norm_placement: "sandwich" }, [foldNorms, foldValueBiases]],
  [
    "experts",
    {
      gated: true,
      act_fn: "silu",
      experts: { n_experts: 3, k: 2, gating: "softmax", normalize: true, biases: true },
    },
    [foldNorms, centreWritingWeights],
  ],
];

test.each(variants)("%s: logits stay", async (_, change, edits) => {
  const tiny = tinyModel(change);
  const view = await editModel(tiny, edits);
  const [before, after] = [await runTiny(tiny), await runTiny(view)];
  expect(distance(after.logits!, before.logits!)).toBeLessThan(5e-5);
  for (const name of ["blocks.0.ln1.w", "ln_final.w"])
    if (edits.includes(foldNorms) && name in view.weights)
      for (const w of view.weights[name]!.data) expect(w).toBe(1 - (change.norm_offset ?? 0));
});

const refusals: [Partial<ModelConfig>, WeightEdit, RegExp][] = [
  [{ normalization: "RMS" }, centreWritingWeights, /RMS norm does not take the mean away/],
  [{ normalization: "none" }, centreWritingWeights, /nothing takes the mean/],
  [{ normalization: "none" }, foldNorms, /no norms/],
  [{ norm_placement: "post" }, foldNorms, /after the sublayers/],
  [{ norm_placement: "post" }, centreWritingWeights, /after the sublayers/],
  [{ norm_placement: "sandwich" }, centreWritingWeights, /after the sublayers/],
  [{ final_norm: false }, centreWritingWeights, /without a norm/],
  [{ logits_softcap: 30 }, centreUnembed, /capped/],
  [{ attn_sinks: true }, foldValueBiases, /sinks/],
  [{ biases: { o: false } }, foldValueBiases, /no output bias/],
  [{ biases: { qkv: false } }, foldValueBiases, /no biases/],
];

test.each(refusals)("%o refuses $kind with the reason", async (change, edit, reason) => {
  const error = await editModel(tinyModel(change), [edit]).catch((thrown) => thrown);
  expect(error.code).toBe("edit/precondition");
  expect(error.message).toMatch(edit.kind);
  expect(`${error.message} ${error.got}`).toMatch(reason);
});
