// Do encoders compute what Hugging Face computes, and would a slip be seen?
import { afterAll, describe, expect, test } from "vitest";
import { input, program } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import type { Encoder, Model, ModelConfig } from "../config.ts";
import { fromStored, openModel } from "../open.ts";
import { bindWeights } from "../parameters.ts";
import { distance, isRed } from "../parity.fixture.ts";
import { siteShape, sitesOf } from "../sites.ts";
import { encode } from "./encode.ts";
import { clipLogits } from "./heads.ts";
import {
  allowedFor,
  encoderCells,
  encoderGoldens,
  feedsOf,
  openGolden,
  outputCell,
} from "./parity.fixture.ts";
import { encoderProgram } from "./run.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const goldens = await encoderGoldens();

describe.each(goldens.map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  test("every cell of the parity table is green", async () => {
    const cells = await encoderCells(golden, backend);
    expect(cells.filter(isRed)).toEqual([]);
    expect(cells).toHaveLength(golden.tower === "text" ? 3 : 2);
  });

  test("the forward pass meets every site of the table, in its order and shape", async () => {
    const model = await openGolden(golden);
    const { config } = model;
    const seen = new Map<string, readonly number[]>();
    const feeds = feedsOf(golden, "in");
    encoderProgram(model, {
      feeds,
      tap: (site, value) => {
        seen.set(site, value.shape);
        return value;
      },
    });
    expect([...seen.keys()].sort()).toEqual(sitesOf(config).sort());
    const [batch, pos] = feeds.tokens?.shape ?? [2, config.n_ctx];
    for (const [site, shape] of seen)
      expect([site, shape]).toEqual([site, siteShape(config, site, { batch: batch!, pos: pos! })]);
  });

  test("float32 weights stay in their file", async () => {
    const { stored } = await openGolden(golden);
    const kinds = Object.values(stored!.sources).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["file"]));
  });

  test("whatever is left out turns its cell red", async () => {
    const model = await openModel(golden.folder, {
      tower: golden.tower,
      tokenizer: null,
      inMemory: true,
    });
    const runs = golden.tower === "text" ? ["in", "pad"] : ["in"];
    const unseen: string[] = [];
    const seenIn = async (slipped: Model) =>
      isRed({ name: "logits", ...(await outputCell(golden, slipped, backend, runs)) });
    for (const [of, config] of slips(model.config))
      if (!(await seenIn(fromStored(config, model.stored!)))) unseen.push(of);

    const feeds = feedsOf(golden, runs.at(-1)!);
    const { program: made, bound } = encoderProgram(model, { feeds });
    const run = await backend.compile(made);
    const begin = runs.length > 1 ? "pad:out:" : "out:";
    const far = async (fed: Record<string, Tensor>) => {
      const got = await run.run({ ...bound.feeds, ...(feeds as Record<string, Tensor>), ...fed });
      return Object.entries(got).some(([name, value]) => {
        const key = `${begin}${name}`;
        const mask = value.shape.length === 3 ? feeds.attention_mask?.data : undefined;
        const off = distance(value, golden.tensors[key]!, mask as Int32Array | undefined);
        return off > allowedFor(golden, key);
      });
    };
    expect(await far({})).toBe(false);
    for (const [name, fed] of Object.entries(bound.feeds)) {
      const instead = neutral(name, fed);
      if (instead !== undefined && !(await far({ [name]: instead }))) unseen.push(name);
    }
    await run.release();
    expect(unseen).toEqual([]);
  }, 20_000);
});

/** Settings that are dropped or changed one at a time. */
function slips(config: ModelConfig): [string, ModelConfig][] {
  const { encoder, act_fn } = config;
  const other = (change: Partial<Encoder>): ModelConfig => ({
    ...config,
    encoder: { ...encoder!, ...change },
  });
  const list: [string, ModelConfig][] = [
    ["eps", { ...config, eps: 1e-5 }],
    ["act_fn", { ...config, act_fn: act_fn === "gelu" ? "gelu_new" : "gelu" }],
    ["causal", other({ causal: !encoder!.causal })],
    ["embed_norm", other({ embed_norm: !encoder!.embed_norm })],
  ];
  if (encoder!.pooler) list.push(["pooler", other({ pooler: false })]);
  if (encoder!.hidden_before_norm) list.push(["norm", other({ hidden_before_norm: false })]);
  if (encoder!.pool === "eot") {
    list.push(["pool", other({ pool: "first" })]);
    list.push(["eot", other({ eot: encoder!.eot === undefined ? 40 : undefined })]);
  }
  if (config.stream_norm) {
    list.push(["stream_norm", { ...config, stream_norm: undefined }]);
    list.push(["n_token_types", other({ n_token_types: undefined })]);
  }
  if (encoder!.sentence) {
    list.push(["mean", other({ sentence: { ...encoder!.sentence, pool: "first" } })]);
    list.push(["unit", other({ sentence: { ...encoder!.sentence, normalize: false } })]);
  }
  // Without its norm or its segments, a model is another, with fewer weights.
  const norm = list.findIndex(([of]) => of === "embed_norm");
  if (!encoder!.embed_norm) list.splice(norm, 1);
  return list.filter(([of]) => of !== "n_token_types");
}

/** A norm's weight, a bias or the class token becomes what it would be if it were not there. */
function neutral(name: string, { shape }: Tensor): Tensor | undefined {
  // The same number for all keys of a query goes through softmax without a trace.
  if (/(key|k_proj)\.bias$/.test(name) || name === "logit_scale") return undefined;
  const dropped = /bias$|class_embedding|cls_token|position|token_type/.test(name);
  if (shape.length > 1 && !dropped) return undefined;
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor("float32", shape, new Float32Array(size).fill(dropped ? 0 : 1));
}

test("images and texts of CLIP are compared as Hugging Face compares them", async () => {
  const golden = goldens.find(({ name }) => name === "clip image")!;
  const towers = { text: "text", image: "image" } as const;
  const text = await openModel(golden.folder, { tower: towers.text, tokenizer: null });
  const image = await openModel(golden.folder, { tower: towers.image, tokenizer: null });
  const [one, other] = [bindWeights(text), bindWeights(image)];
  const { "joint:tokens": tokens, "in:pixels": pixels } = golden.tensors as Record<string, Tensor>;
  const reads = {
    tokens: input("tokens", "int32", tokens!.shape),
    pixels: input("pixels", "float32", pixels!.shape),
  };
  const texts = encode(text.config, one.values, { tokens: reads.tokens }).embedding!;
  const images = encode(image.config, other.values, { pixels: reads.pixels }).embedding!;
  const logits = clipLogits(images, texts, other.values.logit_scale!);
  const made = program({
    inputs: [reads.tokens, reads.pixels, ...one.inputs, ...other.inputs],
    outputs: { logits },
  });
  const run = await backend.compile(made);
  const got = await run.run({ ...one.feeds, ...other.feeds, tokens: tokens!, pixels: pixels! });
  await run.release();
  const far = distance(got.logits!, golden.tensors["joint:out:logits"]!);
  expect(far).toBeLessThanOrEqual(allowedFor(golden, "joint:out:logits"));
});
