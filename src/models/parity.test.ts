// Do the families compute what Hugging Face and TransformerLens compute, and would a slip be seen?
import { afterAll, expect, test } from "vitest";
import { input, interpret, program } from "../graph/index.ts";

import { ortBackend } from "../runtime/ort.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { fromStored, openModel } from "./open.ts";
import { bindWeights } from "./parameters.ts";
import {
  allowedFor,
  continuedCell,
  distance,
  isRed,
  listGolden,
  parityCells,
  readGolden,
  runModel,
} from "./parity.fixture.ts";
import { siteShape, sitesOf } from "./sites.ts";
import { forward } from "./transformer.ts";
import { weightShapes } from "./weight-shapes.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const names = await listGolden();

test.each(names)("%s: every cell of the parity table is green", async (name) => {
  const golden = await readGolden(name);
  const cells = await parityCells(golden, backend);
  expect(cells.filter(isRed)).toEqual([]);
});

test.each(names)(
  "%s: the forward pass meets every site of the table, in its shape",
  async (name) => {
    const { config, ...model } = await openModel((await readGolden(name)).folder, {
      tokenizer: null,
    });
    const tokens = input("tokens", "int32", [2, 3]);
    const seen = new Map<string, readonly number[]>();
    const { values } = bindWeights({ ...model, config });
    forward(config, values, tokens, {
      tap: (site, value) => {
        seen.set(site, value.shape);
        return value;
      },
    });
    expect([...seen.keys()].sort()).toEqual(sitesOf(config).sort());
    for (const [site, shape] of seen)
      expect([site, shape]).toEqual([site, siteShape(config, site, { batch: 2, pos: 3 })]);
  },
);

/** Whatever is left where nothing is rounded to float32 but constants: angles, 1/√d_head, eps. */
const exactly = 1e-6;

test.each(names)(
  "%s: in float64 what is left of the distance is that of constants",
  async (name) => {
    const { continued, folder, tensors } = await readGolden(name);
    // TransformerLens' toys have no such run.
    if (continued === undefined) return expect(name).toMatch(/^toy-/);
    const model = await openModel(folder, { tokenizer: null, inMemory: true });
    const bound = bindWeights(model);
    const tokens = input("tokens", "int32", tensors.tokens!.shape);
    const { logits } = forward(model.config, bound.values, tokens);
    const exact = interpret({ logits }, { ...bound.feeds, tokens: tensors.tokens! }).logits!;
    const wanted = continued.tensors.exact!;
    const most = Math.max(1, ...(wanted.data as Float64Array).map(Math.abs));
    expect(distance(exact, wanted)).toBeLessThanOrEqual(exactly * most);
  },
);

/** Settings that are dropped or changed one at a time. */
function settingSlips(config: ModelConfig): [string, ModelConfig][] {
  const { rotary, experts, act_fn } = config;
  const droppable = [
    ..."eps attn_scale scale_by_inverse_layer attn_softcap logits_softcap".split(" "),
    ..."window window_layers embed_multiplier resid_multiplier logits_multiplier".split(" "),
    ..."norm_offset local_rotary rotary_layers attn_sinks qk_norm".split(" "),
  ].filter((key) => config[key as keyof ModelConfig] !== undefined);
  const slips: [string, ModelConfig][] = droppable.map((key) => [
    key,
    Object.fromEntries(Object.entries(config).filter(([k]) => k !== key)) as never,
  ]);
  if (experts?.clamped === undefined && !config.attn_only)
    slips.push(["act_fn", { ...config, act_fn: act_fn === "gelu" ? "gelu_new" : "gelu" }]);
  if (config.parallel === "separate") slips.push(["parallel", { ...config, parallel: undefined }]);
  const turn = (of: string, change: object) =>
    slips.push([`rotary ${of}`, { ...config, rotary: { ...rotary!, ...change } }]);
  if (rotary !== undefined) turn("base", { base: rotary.base * 1.5 });
  if (rotary !== undefined) turn("order", { interleaved: !rotary.interleaved });
  if (rotary?.scaling !== undefined) turn("scaling", { scaling: undefined });
  const expert = (of: string, change: object) =>
    slips.push([`experts ${of}`, { ...config, experts: { ...experts!, ...change } }]);
  if (experts?.normalize) expert("normalize", { normalize: false });
  if (experts?.clamped) expert("alpha", { clamped: { ...experts.clamped, alpha: 1 } });
  if (experts !== undefined) expert("k", { k: experts.k - 1 });
  return slips;
}

/** A norm's weight, a bias or a sink becomes what it would be if it were not there. */
function neutral(name: string, { shape }: Tensor, config: ModelConfig): Tensor | undefined {
  // The same number for all keys of a query goes through softmax without a trace.
  const invisible = config.positions === "learned" && /(k_proj\.bias|attn\.b_K)$/.test(name);
  const bias = /(bias|\.b|\.b_\w+)$/.test(name);
  if (invisible || (shape.length > 1 && !bias)) return undefined;
  const one = /(weight|\.w)$/.test(name) && config.norm_offset === undefined;
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor("float32", shape, new Float32Array(size).fill(one ? 1 : 0));
}

test.each(names)(
  "%s: whatever is left out turns its cell red",
  async (name) => {
    const golden = await readGolden(name);
    const model = await openModel(golden.folder, { tokenizer: null, inMemory: true });
    const tokens = golden.tensors["long.tokens"]!;
    const wanted = golden.tensors["long.logits"]!;
    const allowed = allowedFor(golden, "long.logits");
    const unseen: string[] = [];
    const far = (got: Tensor) => distance(got, wanted);

    for (const [of, config] of settingSlips(model.config)) {
      const { stored } = model;
      const names = Object.keys(weightShapes(config));
      const kept = Object.fromEntries(names.map((weight) => [weight, model.weights[weight]!]));
      const slipped =
        stored === undefined ? { ...model, config, weights: kept } : fromStored(config, stored);
      const { logits } = await runModel(slipped, backend, { tokens });
      if (far(logits!) <= allowed) unseen.push(of);
    }

    const bound = bindWeights(model);
    const read = input("tokens", "int32", tokens.shape);
    const { logits } = forward(model.config, bound.values, read);
    const run = await backend.compile(
      program({ inputs: [read, ...bound.inputs], outputs: { logits } }),
    );
    const feeds = { ...bound.feeds, tokens };
    expect(far((await run.run(feeds)).logits!)).toBeLessThanOrEqual(allowed);
    for (const [of, fed] of Object.entries(bound.feeds)) {
      const instead = neutral(of, fed, model.config);
      if (instead === undefined) continue;
      const got = await run.run({ ...feeds, [of]: instead });
      if (far(got.logits!) <= allowed) unseen.push(of);
    }
    // Without its mask, padding is read as text, and counted where positions are.
    if (golden.continued !== undefined) {
      const { mask, ...rest } = golden.continued.tensors;
      const ones = tensor("int32", mask!.shape, new Int32Array(mask!.data.length).fill(1));
      const bare = { ...golden.continued, tensors: { ...rest, mask: ones } };
      if (!isRed(await continuedCell(bare, (what) => runModel(model, backend, what))))
        unseen.push("padding before the cache");
    }
    expect(unseen).toEqual([]);
  },
  60_000,
);
