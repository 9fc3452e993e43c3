import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { readSafetensorsHeader } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import { putText } from "../storage/store.ts";
import { narrowF16, widenF16 } from "../tensor/half.ts";
import { loadModel, makeModel, saveModel } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { initWeights } from "./init.ts";
import { listOrganisms, loadOrganism } from "./organisms.ts";
import { permutedModel } from "./permuted.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 6,
  n_heads: 2,
  d_head: 3,
  d_mlp: 8,
  d_vocab: 7,
  n_ctx: 5,
  act_fn: "relu",
  normalization: "LN",
  positions: "learned",
};
const model = makeModel(config, initWeights(config, random(1)));

test("a model is the same after saving and loading", async () => {
  const store = memoryStore();
  await saveModel(store, model, { prefix: "m/" });
  const back = await loadModel(store, { prefix: "m/" });
  expect(back.hash).toBe(model.hash);
  expect(back.weights).toEqual(model.weights);
  expect(back.config).toEqual(config);
});

test("half weights load as the nearest halves, and their hash is that of what is loaded", async () => {
  const store = memoryStore();
  const { hash } = await saveModel(store, model, { dtype: "float16" });
  const header = await readSafetensorsHeader(store, "model.safetensors");
  expect(header.entries.get("embed.W_E")!.dtype).toBe("F16");
  const back = await loadModel(store);
  expect(back.hash).toBe(hash);
  expect(back.hash).not.toBe(model.hash);
  for (const [name, { data }] of Object.entries(model.weights))
    expect(back.weights[name]!.data).toEqual(widenF16(narrowF16(data)));
});

test("changed, missing and misshapen weights are refused", async () => {
  const store = memoryStore();
  await saveModel(store, model);
  await saveModel(store, permutedModel(model, 1), { prefix: "other/" });
  await store.put("model.safetensors", await store.get("other/model.safetensors"));
  await expect(loadModel(store)).rejects.toMatchObject({ code: "model/hash" });
  await putText(store, "config.json", JSON.stringify({ ...config, d_mlp: 9 }));
  await expect(loadModel(store)).rejects.toMatchObject({ code: "model/weights" });
  const { "unembed.b_U": _, ...lacking } = model.weights;
  expect(() => makeModel(config, lacking)).toThrow("a weight is missing");
  expect(() => makeModel(config, { ...model.weights, x: model.weights["ln_final.b"]! })).toThrow(
    "no place",
  );
});

test("a permuted model has each tensor's numbers in another order, the same for a seed", () => {
  const once = permutedModel(model, 4);
  for (const [name, { data }] of Object.entries(model.weights))
    expect([...once.weights[name]!.data].sort()).toEqual([...data].sort());
  expect(once.weights["embed.W_E"]!.data).not.toEqual(model.weights["embed.W_E"]!.data);
  expect(permutedModel(model, 4).hash).toBe(once.hash);
  expect(permutedModel(model, 5).hash).not.toBe(once.hash);
});

test("an organism is found by its folder, and an unknown one is refused with the names there are", async () => {
  const folder = await mkdtemp(join(tmpdir(), "organism-"));
  try {
    await saveModel(folderStore(folder), model, { prefix: "a/" });
    expect(await listOrganisms(folder)).toEqual(["a"]);
    expect((await loadOrganism(join(folder, "a"))).hash).toBe(model.hash);
    await expect(loadOrganism("no-such")).rejects.toMatchObject({ code: "model/missing" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
