// A GPT that sorts, trained by others: every value of its first block against another implementation.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeSafetensors } from "../../src/formats/index.ts";
import { runWithCache } from "../../src/hooks/index.ts";
import { type Model, openModel } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { memoryStore, putJson } from "../../src/storage/index.ts";
import { f32, type Tensor, tensor } from "../../src/tensor/index.ts";
import { distance, reached, readJson, tensorOf, withData } from "./data.ts";

type Json = { shape: number[]; data: string };
type Floats = Tensor<"float32">;
type Config = Record<"n_layer" | "n_head" | "n_embd" | "vocab_size" | "block_size", number>;

/** As a checkpoint of GPT-2, which keeps its products as [in, out]. */
async function openNano(path: string): Promise<Model> {
  const { config, ...rest } = readJson(path) as { config: Config } & Record<string, Json>;
  const tensors: Record<string, Tensor> = {};
  for (const [name, json] of Object.entries(rest)) {
    const read = tensorOf(json);
    tensors[name] = /c_(attn|proj|fc)\.weight$/.test(name) ? turned(read) : read;
  }
  const store = memoryStore();
  await writeSafetensors(store, "model.safetensors", tensors);
  await putJson(store, "config.json", {
    model_type: "gpt2",
    n_layer: config.n_layer,
    n_head: config.n_head,
    n_embd: config.n_embd,
    vocab_size: config.vocab_size,
    n_positions: config.block_size,
    tie_word_embeddings: false,
  });
  return openModel(store, { name: "nanosort" });
}

function turned({ shape, data }: Floats): Floats {
  const [rows, columns] = shape as [number, number];
  return f32(
    [columns, rows],
    Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
  );
}

/** [batch, pos, head, …] → [batch, head, pos, …]. */
function headsFirst({ shape, data }: Floats): Float32Array {
  const [batch, pos, heads, size] = shape as [number, number, number, number];
  const out = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let p = 0; p < pos; p++)
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < size; i++)
          out[((b * heads + h) * pos + p) * size + i] =
            data[((b * pos + p) * heads + h) * size + i]!;
  return out;
}

/** Rows of several tensors, one after another. */
function side(parts: readonly Floats[], width: number): Float32Array {
  const rows = parts[0]!.data.length / width;
  return Float32Array.from({ length: rows * width * parts.length }, (_, i) => {
    const row = Math.floor(i / (width * parts.length));
    const at = i % (width * parts.length);
    return parts[Math.floor(at / width)]!.data[row * width + (at % width)]!;
  });
}

function weighted({ data }: Floats, w: Floats, b: Floats): Float32Array {
  const n = w.data.length;
  return data.map((x, i) => x * w.data[i % n]! + b.data[i % n]!);
}

function softmaxRows(data: Float32Array, width: number): Float32Array {
  const powers = data.map(Math.exp);
  return powers.map((x, i) => {
    const from = i - (i % width);
    return x / powers.subarray(from, from + width).reduce((sum, y) => sum + y, 0);
  });
}

withData("models/nanosort", (folder) => {
  const backend = ortBackend({ threads: 1 });
  let model: Model;
  beforeAll(async () => {
    model = await openNano(join(folder, "model.json"));
  });
  afterAll(() => backend.release());

  test("24 values inside it are those of another implementation, to 2e-6", async () => {
    const { config, ...rest } = readJson(join(folder, "partials.json")) as {
      config: { B: number };
    } & Record<string, Json>;
    const wanted = Object.fromEntries(
      Object.entries(rest).map(([name, json]) => [name, tensorOf(json)]),
    );
    const { idx } = wanted;
    const tokens = tensor("int32", idx!.shape, Int32Array.from(idx!.data));
    const { logits, cache } = await runWithCache(model, backend, tokens, {
      sites: ["**"],
      logits: true,
    });
    const at = (hook: string) => cache[`blocks.0.${hook}`]!;
    const w = (name: string) => model.weights[name]!;
    const d = model.config.d_model;
    const pos = idx!.shape[1]!;
    // Scores of keys to come are −∞ there.
    const scores = at("attn.hook_attn_scores").data.map((x, i) =>
      i % pos > Math.floor(i / pos) % pos ? Number.NEGATIVE_INFINITY : x,
    );
    const got: Record<string, ArrayLike<number>> = {
      tok_emb: cache.hook_embed!.data,
      pos_emb: cache.hook_pos_embed!.data.subarray(0, pos * d),
      x: at("hook_resid_pre").data,
      ln1: weighted(at("ln1.hook_normalized"), w("blocks.0.ln1.w"), w("blocks.0.ln1.b")),
      q: headsFirst(at("attn.hook_q")),
      k: headsFirst(at("attn.hook_k")),
      v: headsFirst(at("attn.hook_v")),
      qkv: side([at("attn.hook_q"), at("attn.hook_k"), at("attn.hook_v")], d),
      att: scores,
      attSm: at("attn.hook_pattern").data,
      y: at("attn.hook_z").data,
      yProj: at("hook_attn_out").data,
      attnResid: at("hook_resid_mid").data,
      ln2: weighted(at("ln2.hook_normalized"), w("blocks.0.ln2.w"), w("blocks.0.ln2.b")),
      fc: at("mlp.hook_pre").data,
      gelu: at("mlp.hook_post").data,
      mlp: at("hook_mlp_out").data,
      mlpResid: at("hook_resid_post").data,
      block0: cache["blocks.0.hook_resid_post"]!.data,
      block1: cache["blocks.1.hook_resid_post"]!.data,
      block2: cache["blocks.2.hook_resid_post"]!.data,
      ln_f: weighted(cache["ln_final.hook_normalized"]!, w("ln_final.w"), w("ln_final.b")),
      lm_head: logits!.data,
      probs: softmaxRows(logits!.data, model.config.d_vocab),
    };
    const names = Object.keys(wanted).filter((name) => name !== "idx");
    expect(Object.keys(got).sort()).toEqual(names.sort());
    expect(names.length).toBe(24);
    const far = names.map((name) => ({ name, far: distance(got[name]!, wanted[name]!.data) }));
    const [first] = far.sort((one, other) => other.far - one.far);
    reached("nanosort", `${far.length} values, the furthest is ${first!.name}: ${first!.far}`);
    expect(first!.far).toBeLessThanOrEqual(2e-6);
  });
});
