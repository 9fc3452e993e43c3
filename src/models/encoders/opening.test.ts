// What of encoders is opened, kept and refused; and what their images need.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { MicrographiaError } from "../../base/errors.ts";
import { input } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { folderStore } from "../../storage/folder.ts";
import { memoryStore } from "../../storage/memory.ts";
import { f32, type Tensor, tensor } from "../../tensor/tensor.ts";
import { hashModel, loadModel, saveModel } from "../checkpoint.ts";
import type { Model } from "../config.ts";
import { editModel, editStack, foldNorms, pushEdit, undoEdit, viewStack } from "../edits/index.ts";
import { familyOf } from "../families/index.ts";
import { nextTokenLosses } from "../loss.ts";
import { openModel } from "../open.ts";
import { bindWeights, readWeight } from "../parameters.ts";
import { findSite, siteShape, siteWidth } from "../sites.ts";
import { withSentence } from "../sources/sentence.ts";
import { readConfig } from "../sources/source.ts";
import { forward, unembed } from "../transformer.ts";
import { weightShapes } from "../weight-shapes.ts";
import { encode } from "./encode.ts";
import { encoderGoldens, feedsOf, openGolden } from "./parity.fixture.ts";
import { readPreprocess } from "./preprocess.ts";
import { runEncoder } from "./run.ts";

const backend = ortBackend({ threads: 1 });
afterAll(() => backend.release());
const goldens = await encoderGoldens();
const golden = (name: string) => goldens.find((one) => one.name === name)!;
const opened = (name: string) => openGolden(golden(name));

async function refusal(of: () => unknown): Promise<string> {
  try {
    await of();
  } catch (error) {
    if (error instanceof MicrographiaError) return error.code;
    throw error;
  }
  return "accepted";
}

test("of two towers one has to be named, and sizes are those of its part", async () => {
  const { folder } = golden("clip image");
  expect(await refusal(() => openModel(folder))).toBe("model/tower");
  expect((await opened("clip text")).config).toMatchObject({ d_vocab: 48, n_layers: 2 });
  expect((await opened("clip image")).config).toMatchObject({ d_vocab: 0, n_layers: 3, n_ctx: 10 });
  expect(await refusal(() => openModel(folder, { tower: "image", tokenizer: null }))).toBe(
    "accepted",
  );
});

// As openai/clip-vit-base-patch32 and others were written, with keys of their time.
test("older configs of CLIP are read: defaults, the second record, the end of a text", () => {
  const part = { tie_word_embeddings: true, pruned_heads: {}, torchscript: false, top_k: 50 };
  const json = {
    model_type: "clip",
    logit_scale_init_value: 2.6592,
    projection_dim: 768,
    text_config: { ...part, eos_token_id: 2, hidden_size: 512, projection_dim: 512 },
    text_config_dict: { hidden_size: 768, num_attention_heads: 12, projection_dim: 768 },
    vision_config: { ...part, patch_size: 14 },
    vision_config_dict: null,
  };
  const text = readConfig(familyOf(json, "x", "text"), json, "x", "x");
  expect(text).toMatchObject({ d_model: 768, d_mlp: 2048, act_fn: "quick_gelu" });
  expect(text.encoder).toMatchObject({ eot: 49407, d_projection: 768 });
  const image = readConfig(familyOf(json, "x", "image"), json, "x", "x");
  expect(image).toMatchObject({ d_model: 768, n_ctx: 257, d_mlp: 3072 });
});

test("what changes the mathematics and is not known is refused by name", async () => {
  const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
  const bert = {
    ...sizes,
    model_type: "bert",
    vocab_size: 9,
    intermediate_size: 8,
    max_position_embeddings: 4,
  };
  const vit = { ...sizes, model_type: "vit", intermediate_size: 8 };
  const code = (json: Record<string, unknown>) =>
    refusal(() => weightShapes(readConfig(familyOf(json, "x"), json, "x", "x")));
  expect(await code(bert)).toBe("accepted");
  expect(await code(vit)).toBe("accepted");
  expect(await code({ ...bert, is_decoder: true })).toBe("model/config-unsupported");
  expect(await code({ ...bert, position_embedding_type: "relative_key" })).toBe(
    "model/config-unsupported",
  );
  expect(await code({ ...bert, new_trick: 1 })).toBe("model/config-unknown");
  expect(await code({ ...vit, pooler_act: "relu" })).toBe("model/config-unsupported");
  expect(await code({ ...vit, image_size: [224, "224"] })).toBe("model/config");
  expect(await code({ ...vit, image_size: 8, patch_size: 16 })).toBe("model/config");
});

test("an encoder is not taken for a decoder, and gives no logits that it lacks", async () => {
  const bert = await opened("bert");
  const { values } = bindWeights(bert);
  const tokens = input("tokens", "int32", [1, 4]);
  const resid = input("resid", "float32", [1, 4, 16]);
  expect(forward(bert.config, values, tokens).logits.shape).toEqual([1, 4, 48]);
  const refuse = "model/encoder";
  expect(await refusal(() => forward(bert.config, values, tokens).present)).toBe(refuse);
  expect(await refusal(() => unembed(bert.config, values, resid))).toBe(refuse);
  expect(await refusal(() => nextTokenLosses(bert.config, values, tokens))).toBe(refuse);
  expect(await refusal(() => forward(bert.config, values, tokens, { past: [] }))).toBe(refuse);
  const clip = await opened("clip text");
  const own = bindWeights(clip).values;
  expect(await refusal(() => forward(clip.config, own, tokens).logits)).toBe(refuse);
  const vit = await opened("vit");
  expect(await refusal(() => encode(vit.config, bindWeights(vit).values, { tokens }))).toBe(refuse);
  const gpt2 = await openModel("test/golden/families/gpt2", { tokenizer: null });
  expect(await refusal(() => encode(gpt2.config, bindWeights(gpt2).values, { tokens }))).toBe(
    refuse,
  );
});

test("what is fed has to fit, and the reason is told", async () => {
  const run = (name: string, feeds: Record<string, Tensor>, outputs?: readonly "nsp"[]) =>
    refusal(async () => runEncoder(await opened(name), backend, feeds, { outputs }));
  const tokens = (pos: number) => tensor("int32", [1, pos], new Int32Array(pos).fill(5));
  expect(await run("vit", { pixels: f32([1, 3, 8, 12], new Float32Array(288)) })).toBe(
    "model/image",
  );
  expect(await run("bert", { tokens: tokens(13) })).toBe("model/length");
  expect(await run("clip text", { tokens: tokens(3), token_types: tokens(3) })).toBe(
    "model/encoder",
  );
  expect(await run("minilm", { tokens: tokens(3) }, ["nsp"])).toBe("model/output");
});

test("sites that a family lacks are refused with the reason, patches have their own length", async () => {
  const [bert, vit, clip] = await Promise.all(["bert", "vit", "clip image"].map(opened));
  const reason = (config: typeof bert, wire: string): string => {
    try {
      findSite(config!.config, wire);
    } catch (error) {
      return (error as Error).message;
    }
    return "there";
  };
  expect(reason(bert, "ln_final.hook_scale")).toContain("without a norm");
  expect(reason(bert, "hook_ln_pre")).toContain("no norm before the first block");
  expect(reason(vit, "hook_ln_pre")).toContain("no norm before the first block");
  expect(reason(clip, "hook_ln_pre")).toBe("there");
  expect(reason(vit, "hook_token_type_embed")).toContain("segments");
  expect(reason(vit, "blocks.0.hook_normalized_resid_post")).toContain("the next block reads");
  expect(siteShape(vit!.config, "hook_embed", { batch: 2, pos: 10 })).toEqual([2, 9, 16]);
  expect(siteWidth(vit!.config, "hook_embed")).toBe(16);
  expect(reason(await openModel("test/golden/families/gpt2"), "hook_full_embed")).toContain(
    "blocks.0.hook_resid_pre",
  );
});

test("an edit moves the outputs, and without it every bit is back", async () => {
  for (const name of ["bert", "clip image"]) {
    const model = await opened(name);
    const feeds = feedsOf(golden(name), "in");
    const bits = async (of: Model) => {
      const { outputs } = await runEncoder(of, backend, feeds);
      return new Float32Array(outputs.hidden!.data);
    };
    const before = await bits(model);
    const edit = { kind: "zeroNeuron", layer: 0, neuron: 3 } as const;
    const stack = pushEdit(editStack(model), edit);
    const after = await bits(await viewStack(model, stack));
    expect(Math.max(...after.map((x, i) => Math.abs(x - before[i]!)))).toBeGreaterThan(1e-3);
    const back = await viewStack(model, undoEdit(stack));
    expect(await bits(back)).toEqual(before);
    expect(back.hash).toBe(model.hash);
    const fold = refusal(() => editModel(model, [foldNorms]));
    expect(await fold).toBe("edit/precondition");
  }
});

test("an encoder is saved and loaded with the same hash and outputs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "encoder-"));
  const store = folderStore(folder);
  const model = await opened("clip image");
  const weights: Record<string, Tensor<"float32">> = {};
  for (const name of Object.keys(weightShapes(model.config)))
    weights[name] = await readWeight(model, name);
  const { hash } = await saveModel(store, { config: model.config, weights, hash: "" });
  const loaded = await loadModel(store);
  expect(hash).toBe(hashModel(model.config, model.weights));
  expect(loaded.hash).toBe(model.hash);
  const feeds = feedsOf(golden("clip image"), "in");
  const [a, b] = [
    await runEncoder(model, backend, feeds),
    await runEncoder(loaded, backend, feeds),
  ];
  for (const [i, x] of a.outputs.embedding!.data.entries())
    expect(b.outputs.embedding!.data[i]).toBeCloseTo(x, 5);
  await rm(folder, { recursive: true });
});

test("how images are prepared is read as data", async () => {
  const read = async (json: object) => {
    const store = memoryStore();
    const text = new TextEncoder().encode(JSON.stringify(json));
    await store.put("preprocessor_config.json", text);
    return readPreprocess(store);
  };
  expect(await readPreprocess(memoryStore())).toBeUndefined();
  // openai/clip-vit-base-patch32.
  const clip = {
    crop_size: 224,
    do_center_crop: true,
    do_normalize: true,
    do_resize: true,
    feature_extractor_type: "CLIPFeatureExtractor",
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
    resample: 3,
    size: 224,
  };
  expect(await read(clip)).toEqual({
    resize: { shortest_edge: 224 },
    resample: 3,
    crop: { height: 224, width: 224 },
    rescale: 1 / 255,
    mean: clip.image_mean,
    std: clip.image_std,
  });
  // google/vit-base-patch16-224.
  const half = [0.5, 0.5, 0.5];
  const vit = { do_normalize: true, do_resize: true, image_mean: half, image_std: half, size: 224 };
  expect(await read(vit)).toEqual({
    resize: { height: 224, width: 224 },
    rescale: 1 / 255,
    mean: half,
    std: half,
  });
  expect(await refusal(() => read({ do_normalize: true, image_mean: "grey" }))).toBe(
    "model/config",
  );
});

test("how sentences become vectors is read, and refused where it is another way", async () => {
  expect((await opened("minilm")).config.encoder!.sentence).toEqual({
    pool: "mean",
    normalize: true,
  });
  const { config } = await opened("bert");
  const type = (name: string, path = "") => ({
    type: `sentence_transformers.models.${name}`,
    path,
  });
  const read = async (modules: unknown, pooling: unknown = { pooling_mode_cls_token: true }) => {
    const store = memoryStore();
    const put = (key: string, json: unknown) =>
      store.put(key, new TextEncoder().encode(JSON.stringify(json)));
    await put("modules.json", modules);
    await put("1_Pooling/config.json", pooling);
    return (await withSentence(config, store, "")).encoder!.sentence;
  };
  const plain = [type("Transformer"), type("Pooling", "1_Pooling")];
  expect(await read(plain)).toEqual({ pool: "first", normalize: false });
  const unsupported = "model/config-unsupported";
  expect(await refusal(() => read([...plain, type("Dense", "2_Dense")]))).toBe(unsupported);
  expect(await refusal(() => read(plain, { pooling_mode_max_tokens: true }))).toBe(unsupported);
  for (const odd of [null, {}, [null, 3], "x"])
    expect(await refusal(() => read(odd))).toBe(unsupported);
  for (const odd of [null, [], 3]) expect(await refusal(() => read(plain, odd))).toBe(unsupported);
});
