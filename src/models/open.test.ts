// What opening a checkpoint accepts, reads and refuses: each refusal names what is wrong, both sides.
import { expect, test } from "vitest";
import { encodeSafetensors, readSafetensors } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import { getText, type Store } from "../storage/store.ts";
import { narrowBF16, narrowF16, toFloat32 } from "../tensor/half.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { hashModel, loadModel, saveModel } from "./checkpoint.ts";
import { openModel } from "./open.ts";
import { bindWeights, readWeight } from "./parameters.ts";
import { goldenFolder } from "./parity.fixture.ts";
import { weightShapes } from "./weight-shapes.ts";

const folder = (name: string) => `${goldenFolder}/${name}`;
const options = { tokenizer: null };

interface Parts {
  json: Record<string, unknown>;
  tensors: Record<string, Tensor>;
}

/** A golden model in memory, changed. */
async function changed(name: string, change: (parts: Parts) => void): Promise<Store> {
  const from = folderStore(folder(name));
  const json = JSON.parse(await getText(from, "config.json"));
  const { tensors } = await readSafetensors(from, "model.safetensors");
  const parts = { json, tensors: { ...tensors } };
  change(parts);
  const store = memoryStore();
  await store.put("config.json", new TextEncoder().encode(JSON.stringify(parts.json)));
  await store.put("model.safetensors", encodeSafetensors(parts.tensors));
  return store;
}

async function refusal(store: Store): Promise<{ code: string; text: string }> {
  const error = await openModel(store, options).then(
    () => expect.fail("accepted"),
    (cause) => cause,
  );
  const { code, message, got, wanted, where } = error;
  return { code, text: [message, where, got, wanted].join(" | ") };
}

test("float32 weights stay in their file: nothing is fed and nothing is in memory", async () => {
  const model = await openModel(folder("llama"), options);
  const { inputs, feeds } = bindWeights(model);
  expect([inputs, feeds]).toEqual([[], {}]);
  expect(Object.keys(model.weights)).toEqual(Object.keys(model.stored!.views));
});

test.each(["gpt2", "gpt_neox", "llama", "phi3", "gpt_oss"])(
  "%s: a weight read from its file is that of memory, and has the shape of its name",
  async (name) => {
    const filed = await openModel(folder(name), options);
    const held = await openModel(folder(name), { ...options, inMemory: true });
    for (const [weight, shape] of Object.entries(weightShapes(filed.config))) {
      const read = await readWeight(filed, weight);
      expect(read.shape).toEqual(shape);
      expect(read).toEqual(await readWeight(held, weight));
    }
    expect(filed.hash).toBe(held.hash);
  },
);

test("the first head's queries of GPT-2 are the first columns of c_attn", async () => {
  const model = await openModel(folder("gpt2"), options);
  const { tensors } = await readSafetensors(folderStore(folder("gpt2")), "model.safetensors");
  const [name] = Object.keys(tensors).filter((key) => key.endsWith("h.0.attn.c_attn.weight"));
  const { data } = tensors[name!]! as Tensor<"float32">;
  const W_K = await readWeight(model, "blocks.0.attn.W_K");
  // Head 1, input 3, number 2: column 16 + 8 + 2 of row 3.
  expect(W_K.data[(1 * 16 + 3) * 8 + 2]).toBe(data[3 * 48 + 16 + 8 + 2]);
});

test("saved as ours and loaded again, a model has the same hash", async () => {
  const model = await openModel(folder("qwen3"), options);
  const store = memoryStore();
  await saveModel(store, model);
  const again = await loadModel(store);
  expect(again.hash).toBe(model.hash);
  expect(again.config).toEqual(model.config);
  expect((await openModel(store)).hash).toBe(model.hash);
});

test.each([
  ["float16", narrowF16],
  ["bfloat16", narrowBF16],
] as const)("%s weights are widened exactly", async (dtype, narrow) => {
  const halves: Record<string, Tensor> = {};
  const store = await changed("llama", ({ tensors }) => {
    for (const [name, { shape, data }] of Object.entries(tensors))
      tensors[name] = halves[name] = tensor(dtype, shape, narrow(data as Float32Array));
  });
  const model = await openModel(store, options);
  const W_E = await readWeight(model, "embed.W_E");
  expect(W_E).toEqual(toFloat32(halves["model.embed_tokens.weight"]!));
});

test("shards with an index are one model", async () => {
  const whole = await openModel(folder("mistral"), options);
  const store = await changed("mistral", () => {});
  const { tensors } = await readSafetensors(store, "model.safetensors");
  const names = Object.keys(tensors);
  const map: Record<string, string> = {};
  for (const part of [0, 1]) {
    const own = names.filter((_, i) => i % 2 === part);
    for (const name of own) map[name] = `part-${part}.safetensors`;
    const held = Object.fromEntries(own.map((name) => [name, tensors[name]!]));
    await store.put(`part-${part}.safetensors`, encodeSafetensors(held));
  }
  await store.delete("model.safetensors");
  const index = JSON.stringify({ weight_map: map });
  await store.put("model.safetensors.index.json", new TextEncoder().encode(index));
  const model = await openModel(store, options);
  expect(hashModel({ ...model.config, name: "" }, model.weights)).toBe(whole.hash);
});

test("settings that could change the mathematics are refused by name", async () => {
  const unknown = (change: object) =>
    changed("llama", ({ json }) => Object.assign(json, change)).then(refusal);
  expect(await unknown({ attention_sharpening: 2, dropout: 0.1 })).toEqual({
    code: "model/config-unknown",
    text: expect.stringMatching(/attention_sharpening(?!.*dropout)/),
  });
  expect(await unknown({ quantization_config: { bits: 4 } })).toMatchObject({
    code: "model/config-unsupported",
    text: expect.stringContaining("quantization_config"),
  });
  expect(await unknown({ rope_parameters: { rope_type: "spiral", rope_theta: 10 } })).toMatchObject(
    {
      code: "model/config-unsupported",
      text: expect.stringContaining("spiral"),
    },
  );
  expect(
    await unknown({ rope_parameters: { rope_type: "linear", factor: 2, twist: 1 } }),
  ).toMatchObject({ code: "model/config-unknown", text: expect.stringContaining("twist") });
  expect(await unknown({ is_encoder_decoder: true })).toMatchObject({
    code: "model/config-unsupported",
  });
  expect(await unknown({ hidden_act: "elu" })).toMatchObject({
    code: "model/config",
    text: expect.stringContaining("elu"),
  });
  expect(await unknown({ model_type: "mamba" })).toMatchObject({
    code: "model/family",
    text: expect.stringContaining("mamba"),
  });
});

test("tensors that disagree with the config are named, both sides", async () => {
  const of = (change: (parts: Parts) => void) => changed("llama", change).then(refusal);
  const wrong = await of(({ json }) => {
    json.intermediate_size = 21;
  });
  expect(wrong.code).toBe("model/weights");
  expect(wrong.text).toMatch(/gate_proj.*\[20, 16\].*\[16, 21\]/);
  const name = "model.layers.1.self_attn.k_proj.weight";
  const lacking = await of(({ tensors }) => {
    delete tensors[name];
  });
  expect(lacking.text).toMatch(/k_proj\.weight.*blocks\.1\.attn\.W_K/);
  const surplus = await of(({ tensors }) => {
    tensors["model.layers.0.self_attn.q_proj.bias"] = tensors[name]!;
  });
  expect(surplus.text).toContain("q_proj.bias");
});

test("rotary settings of before transformers 5 mean the same", async () => {
  const names = { "llama-3.1": "llama3", "llama-tied-linear": "linear", "llama-yarn": "yarn" };
  for (const [name, type] of Object.entries(names)) {
    const now = await openModel(folder(name), options);
    const store = await changed(name, ({ json }) => {
      const { rope_theta, rope_type, ...rest } = json.rope_parameters as Record<string, unknown>;
      delete json.rope_parameters;
      Object.assign(json, { rope_theta, rope_scaling: { ...rest, type: rope_type } });
    });
    const before = await openModel(store, options);
    expect(before.config.rotary!.scaling!.type).toBe(type);
    expect(before.config).toEqual({ ...now.config, name: before.config.name });
  }
});
