import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { type Dictionary, makeDictionary } from "../dictionaries/dictionary.ts";
import { saveDictionary } from "../dictionaries/saelens.ts";
import { runWithCache } from "../hooks/index.ts";
import { initWeights, loadModel, type Model, makeModel, saveModel } from "../models/index.ts";
import { referenceBackend } from "../runtime/index.ts";
import { folderStore } from "../storage/folder.ts";
import { tensor } from "../tensor/tensor.ts";
import { countWords, trainBpe } from "../text/bpe.ts";
import { layout } from "../workspace/layout.ts";
import { type PromptReader, promptReader, type Reading } from "./prompt.ts";

const site = "blocks.0.mlp.hook_post";
const k = 3;
const text = "the cat sat on the mat and the dog sat on the cat 🐈";
let folder: string;
let model: Model;
let dictionary: Dictionary;
let reader: PromptReader;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-prompt-"));
  const counts = new Map<string, number>();
  countWords(counts, text.repeat(5));
  const tokenizerFile = trainBpe(counts, { d_vocab: 280 });
  const config = {
    name: "tiny",
    n_layers: 1,
    d_model: 8,
    n_heads: 2,
    d_head: 4,
    d_mlp: 16,
    d_vocab: 280,
    n_ctx: 12,
    act_fn: "relu",
    normalization: "none",
    positions: "learned",
  } as const;
  const store = folderStore(join(folder, "models", "tiny"));
  await saveModel(store, makeModel(config, initWeights(config, random(1))), { tokenizerFile });
  model = await loadModel(store);
  const rng = random(2);
  const normals = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  dictionary = makeDictionary({
    architecture: "topk",
    d_in: 16,
    d_sae: 24,
    k,
    W_enc: normals(16 * 24),
    b_enc: normals(24).map((x) => x / 100),
    W_dec: unitRows(normals(24 * 16), 16),
    b_dec: normals(16).map((x) => x / 100),
    scale: 1,
    metadata: { model: "tiny", model_hash: model.hash, site },
  });
  const home = folderStore(folder);
  await saveDictionary(home, layout.dictionary("tiny-sae"), dictionary);
  const foreign = { ...dictionary, metadata: { ...dictionary.metadata, model_hash: "abc" } };
  await saveDictionary(home, layout.dictionary("foreign-sae"), foreign);
  reader = promptReader({
    folder,
    modelFolder: async (name) => join(folder, "models", name),
    threads: 1,
  });
});
afterAll(async () => {
  await reader.close();
  await rm(folder, { recursive: true, force: true });
});

function unitRows(data: Float32Array, width: number): Float32Array {
  for (let row = 0; row < data.length; row += width) {
    const part = data.subarray(row, row + width);
    const length = Math.hypot(...part);
    for (let i = 0; i < width; i++) part[i]! /= length;
  }
  return data;
}

const ask = (of: string): Promise<Reading> =>
  reader.read({ model: "tiny", dictionary: "tiny-sae", text: of });

/** The definition of a TopK encoder, in float64: [feature, value], strongest first. */
function encode(x: Float32Array): [number, number][] {
  const { W_enc, b_enc, b_dec } = dictionary;
  return Array.from({ length: 24 }, (_, f): [number, number] => {
    const terms = Array.from(x, (value, i) => (value - b_dec[i]!) * W_enc[i * 24 + f]!);
    return [f, terms.reduce((a, b) => a + b, 0) + b_enc[f]!];
  })
    .sort((a, b) => b[1] - a[1])
    .slice(0, k)
    .filter(([, value]) => value > 0);
}

describe("reading a prompt", () => {
  test("gives features, losses and expectations as the definitions do", async () => {
    const { ids } = model.tokenizer!.encodeWithOffsets(text);
    const n = 12;
    const { cache, logits } = await runWithCache(
      model,
      referenceBackend(),
      tensor("int32", [1, n], ids.slice(0, n)),
      { sites: [site], logits: true },
    );
    const { tokens } = await ask(text);
    for (let t = 0; t < n; t++) {
      const wanted = encode(cache[site]!.data.slice(t * 16, (t + 1) * 16));
      const got = [...tokens[t]!.active].sort((a, b) => b.value - a.value);
      expect(got.map(({ index }) => index)).toEqual(wanted.map(([f]) => f));
      got.forEach(({ value }, i) => {
        expect(value).toBeCloseTo(wanted[i]![1], 4);
      });
      const row = Array.from(logits!.data.slice(t * 280, (t + 1) * 280));
      const whole = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      if (t + 1 < n) expect(tokens[t + 1]!.loss).toBeCloseTo(whole - row[ids[t + 1]!]!, 4);
      expect(tokens[t]!.expected[0]!.p).toBeCloseTo(Math.exp(Math.max(...row) - whole), 4);
    }
    expect(tokens[0]!.loss).toBeNull();
  });

  test("of a text longer than the context goes on in windows and keeps the places", async () => {
    const { ids, chars } = model.tokenizer!.encodeWithOffsets(text);
    const { tokens, windows } = await ask(text);
    expect(windows).toBe(1 + Math.ceil((ids.length - 12) / 6));
    expect(tokens.map(({ id }) => id)).toEqual([...ids]);
    expect(tokens.flatMap(({ start, end }) => [start, end])).toEqual([...chars]);
    expect(tokens.slice(1).every(({ loss }) => Number.isFinite(loss))).toBe(true);
    expect(tokens.every(({ active }) => active.length <= k)).toBe(true);
    expect(text.slice(tokens.at(-1)!.start, tokens.at(-1)!.end)).toContain("🐈");
  });

  test("takes lone surrogates, right-to-left marks and a single letter", async () => {
    for (const odd of ["a\ud800b", "\u202eשלום\u200f", "x", "\n\0"]) {
      const { tokens } = await ask(odd);
      expect(tokens.length).toBeGreaterThan(0);
      expect(tokens.at(-1)!.end).toBe(odd.length);
    }
  });

  test("refuses what is too long, unknown, or learned on another model", async () => {
    await expect(ask("the cat ".repeat(500))).rejects.toMatchObject({ code: "prompt/too-long" });
    const read = (dictionary: string) => reader.read({ model: "tiny", dictionary, text });
    await expect(read("none")).rejects.toMatchObject({ code: "storage/missing" });
    await expect(read("foreign-sae")).rejects.toMatchObject({
      code: "dictionary/model",
      got: "abc",
    });
    // And still reads.
    expect((await ask("the cat")).tokens.length).toBeGreaterThan(0);
  });
});

describe("a reader that crashes", () => {
  test("tells those who wait, and the next prompt starts another", async () => {
    let started = 0;
    const script = `
      const { parentPort } = require("node:worker_threads");
      parentPort.on("message", (m) => {
        if (m === "close") parentPort.close();
        else if (m.text === "crash") throw new Error("out of memory");
        else if (m.text === "exit") process.exit(7);
        else if (m.text !== "wait") parentPort.postMessage({ id: m.id, reading: { tokens: [], windows: 0 } });
      });
    `;
    const crashing = promptReader({
      folder,
      modelFolder: async () => "",
      start: () => {
        started++;
        return new Worker(script, { eval: true });
      },
    });
    const read = (of: string) => crashing.read({ model: "m", dictionary: "d", text: of });
    const waiting = read("wait");
    const crash = read("crash");
    await expect(waiting).rejects.toMatchObject({ code: "prompt/crashed", got: "out of memory" });
    await expect(crash).rejects.toMatchObject({ code: "prompt/crashed" });
    await expect(read("hello")).resolves.toMatchObject({ windows: 0 });
    await expect(read("exit")).rejects.toMatchObject({
      code: "prompt/crashed",
      got: "exit code 7",
    });
    await expect(read("hello")).resolves.toMatchObject({ windows: 0 });
    expect(started).toBe(3);
    const many = Array.from({ length: 20 }, () => read("wait").catch((error) => error.code));
    const first = await Promise.race(many);
    expect(first).toBe("request/busy");
    await read("crash").catch(() => undefined);
    await crashing.close();
  });
});
