// Neurons through the server: the same routes, the word for them, and prompts read without a dictionary.
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DictionarySummarySchema } from "../analysis/page.ts";
import { PromptReplySchema } from "../api/schemas.ts";
import { runWithCache } from "../hooks/index.ts";
import { openModel } from "../models/index.ts";
import { wordPieces } from "../pipelines/word-pieces.fixture.ts";
import { referenceBackend } from "../runtime/index.ts";
import { getText, putText } from "../storage/store.ts";
import { tensor } from "../tensor/tensor.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { createApp } from "./app.ts";
import { worldId, writeWorld } from "./bundle.fixture.ts";
import { modelShelf } from "./models.ts";
import { type PromptAsk, type PromptReader, promptReader } from "./prompt.ts";
import type { App } from "./route.ts";

const golden = join(dirname(fileURLToPath(import.meta.url)), "../../test/golden/families/llama");
const base = "http://127.0.0.1:1665";
const id = "world-neurons-blocks.0.mlp.hook_post";
const site = "blocks.1.mlp.hook_post";
let folder: string;
let model: string;
let workspace: Workspace;
let reader: PromptReader;
let app: App;
const read = vi.fn(async (_: PromptAsk) => ({ tokens: [], windows: 0 }));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-neurons-"));
  model = join(folder, "small-llama");
  await cp(golden, model, { recursive: true });
  await writeFile(join(model, "tokenizer.json"), JSON.stringify(wordPieces()));
  workspace = await openWorkspace(join(folder, "project"));
  await writeWorld(workspace);
  const inputs = { reference: model };
  await writeWorld(workspace, { id, unit: "neuron", threshold: 0.25, inputs });
  app = createApp({
    workspace,
    token: "t",
    version: "1",
    prompt: { read, close: async () => undefined },
  });
  const shelf = modelShelf(workspace.folder);
  reader = promptReader({ folder: workspace.folder, modelFolder: shelf.find, threads: 1 });
});
afterAll(async () => {
  await reader.close();
  await rm(folder, { recursive: true, force: true });
});

test("a bundle of neurons says so, and one from before there were any is of features", async () => {
  const summary = async (of: string) =>
    DictionarySummarySchema.parse(
      await (await app.request(`${base}/api/dictionaries/${of}`)).json(),
    );
  expect(await summary(id)).toMatchObject({ unit: "neuron", threshold: 0.25 });
  const key = `bundles/${worldId}/r1/summary.json`;
  await writeWorld(workspace, { revision: 1 });
  const { unit: _, threshold: __, ...old } = JSON.parse(await getText(workspace.store, key));
  const text = JSON.stringify(old);
  await putText(workspace.store, key, text);
  const at = `bundles/${worldId}/r1/manifest.json`;
  const manifest = JSON.parse(await getText(workspace.store, at));
  manifest.files["summary.json"] = text.length;
  await putText(workspace.store, at, JSON.stringify(manifest));
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(await summary(worldId)).toMatchObject({ revision: 1, unit: "feature", threshold: null });
});

test("the same routes list them and serve their pages", async () => {
  const list = await app.request(`${base}/api/dictionaries/${id}/features?limit=2`);
  expect(await list.json()).toMatchObject({ total: 64, rows: [{}, {}] });
  const page = await app.request(`${base}/api/dictionaries/${id}/features/3`);
  expect(await page.json()).toMatchObject({ dictionary: id, index: 3 });
});

test("a prompt is read where the bundle says: its model, its site, above its threshold", async () => {
  const body = JSON.stringify({ text: "hi" });
  const reply = await app.request(`${base}/api/dictionaries/${id}/prompt`, {
    method: "POST",
    body,
  });
  PromptReplySchema.parse(await reply.json());
  expect(read).toHaveBeenLastCalledWith({
    model,
    dictionary: id,
    text: "hi",
    neurons: { site: "blocks.0.mlp.hook_post", threshold: 0.25 },
  });
});

test("what is read are the site's values, in rows that begin as the model was trained", async () => {
  const opened = await openModel(model, { inMemory: true });
  const text = "the cat sat";
  const ids = opened.tokenizer!.encode(text);
  const row = [1, ...ids];
  const { cache, logits } = await runWithCache(
    opened,
    referenceBackend(),
    tensor("int32", [1, row.length], Int32Array.from(row)),
    { sites: [site], logits: true },
  );
  const threshold = 0.01;
  const reading = await reader.read({
    model,
    dictionary: "none",
    text,
    neurons: { site, threshold },
  });
  expect(reading.tokens.map((token) => token.id)).toEqual([...ids]);
  let above = 0;
  reading.tokens.forEach(({ active, loss }, t) => {
    const values = Array.from(cache[site]!.data.slice((t + 1) * 20, (t + 2) * 20));
    const wanted = values.flatMap((value, index) => (value > threshold ? [{ index, value }] : []));
    above += wanted.length;
    expect(active.map(({ index }) => index)).toEqual(wanted.map(({ index }) => index));
    active.forEach(({ value }, i) => {
      expect(value).toBeCloseTo(wanted[i]!.value, 5);
    });
    if (t === 0) return;
    const scores = Array.from(logits!.data.slice(t * 48, (t + 1) * 48));
    const whole = Math.log(scores.reduce((sum, x) => sum + Math.exp(x), 0));
    expect(loss).toBeCloseTo(whole - scores[ids[t]!]!, 4);
  });
  expect(above).toBeGreaterThan(0);
});

test("a model that nobody has is named, with where it was sought", async () => {
  const ask = { model: "no/where", dictionary: "none", text: "a", neurons: { site, threshold: 0 } };
  await expect(reader.read(ask)).rejects.toMatchObject({ code: "model/missing" });
});
