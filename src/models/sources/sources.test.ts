// Every kind of checkpoint is the model that its maker wrote: GGUF and PyTorch files against transformers.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Progress } from "../../base/progress.ts";
import { random } from "../../base/random.ts";
import { openLlama2c, writeSafetensors } from "../../formats/index.ts";
import { folderStore, memoryStore, putJson } from "../../storage/index.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import type { Model } from "../config.ts";
import { openModel } from "../open.ts";
import { bench, casesIn, lastLogits } from "./golden.fixture.ts";

// Made by scripts/golden/checkpoints.py.
const golden = "test/golden/checkpoints";
const cases = casesIn("gguf.json");
const llama = "test/golden/families/llama";
const { folder, backend } = bench("sources");
const cache = join(folder, "cache");

function kinds({ stored }: Model): string[] {
  return [...new Set(Object.values(stored!.sources).map(({ kind }) => kind))];
}

describe("GGUF", () => {
  test("the same weights have the same hash as on the hub, queries and keys included", async () => {
    const [file, hub] = await Promise.all([
      openModel(`${golden}/llama-f32.gguf`),
      openModel(llama),
    ]);
    expect(file.config).toEqual({ ...hub.config, name: "llama-f32" });
    expect(file.hash).toBe(hub.hash);
  });

  test("half weights are widened once, and their size is said first", async () => {
    const said: Progress[] = [];
    const options = { cache: join(folder, "other"), onProgress: (p: Progress) => said.push(p) };
    const path = `${golden}/gpt2-f16.gguf`;
    const copied = await openModel(path, options);
    expect(said[0]).toMatchObject({ stage: "widen", done: 0, unit: "bytes" });
    expect(said[0]!.total).toBeGreaterThan(4 * 281 * 32);
    expect(said.at(-1)!.done).toBe(said[0]!.total);
    const first = said.length;
    await openModel(path, options);
    expect(said.slice(first).map(({ done }) => done)).toEqual([0]);
    const held = await openModel(path, { cache: false });
    expect(kinds(held)).toEqual(expect.arrayContaining(["memory"]));
    expect(held.hash).toBe(copied.hash);
  });

  test("a file of the hub's cache is known by the name of its blob, and not read for that", async () => {
    const hash = "0123456789abcdef".repeat(4);
    const at = join(folder, "snapshot");
    mkdirSync(at);
    copyFileSync(`${golden}/gpt2-f16.gguf`, join(folder, hash));
    symlinkSync(join("..", hash), join(at, "m.gguf"));
    const own = join(folder, "hub");
    const model = await openModel(at, { cache: own });
    expect(kinds(model)).toEqual(["file"]);
    const key = createHash("sha256").update(`widened 1\n${hash}`).digest("hex").slice(0, 32);
    expect(readdirSync(join(own, "widened"))).toEqual([key]);
  });
});

describe("PyTorch", () => {
  const place = (name: string, files: Readonly<Record<string, string>>): string => {
    const made = join(folder, name);
    mkdirSync(made, { recursive: true });
    copyFileSync(`${llama}/config.json`, join(made, "config.json"));
    for (const [from, to] of Object.entries(files))
      copyFileSync(`${golden}/${from}`, join(made, to));
    return made;
  };
  const shards = [1, 2].map((i) => `pytorch_model-0000${i}-of-00002.bin`);

  test.each([
    ["one file", { "llama.bin": "pytorch_model.bin" }],
    ["one file of another name", { "llama.bin": "weights.pt" }],
    [
      "shards",
      {
        "pytorch_model.bin.index.json": "pytorch_model.bin.index.json",
        ...Object.fromEntries(shards.map((name) => [name, name])),
      },
    ],
  ])("%s stays in place and has the hash of the safetensors", async (name, files) => {
    const model = await openModel(place(name, files as Record<string, string>), { cache });
    const hub = await openModel(llama);
    expect(kinds(model)).toEqual(["file"]);
    expect(model.hash).toBe(hub.hash);
    const { tokens } = cases["llama-f32"]!;
    expect(await lastLogits(backend, model, tokens)).toEqual(
      await lastLogits(backend, hub, tokens),
    );
  });

  test("a legacy file of bfloat16 is widened exactly", async () => {
    const made = place("legacy", { "llama-bfloat16.pt": "model.pt" });
    const copied = await openModel(made, { cache });
    const held = await openModel(join(made, "model.pt"), { cache: false });
    expect(kinds(copied)).toEqual(["file"]);
    expect(held.hash).toBe(copied.hash);
    const hub = await openModel(llama);
    for (const [name, { data }] of Object.entries(copied.weights))
      data.forEach((x, i) => {
        const near = hub.weights[name]!.data[i]!;
        expect(Math.abs(x - near)).toBeLessThanOrEqual(Math.abs(near) * 2 ** -8);
      });
  });
});

describe("llama2.c", () => {
  const [dim, hidden, layers, heads, kv, vocab, pos] = [16, 10, 2, 2, 1, 12, 8];
  const size = dim / heads;

  /** Random weights; the tables of angles are left out of the reckoning. */
  function llama2cFile(tied: boolean): Uint8Array {
    const block = 2 * dim + dim * (2 * dim + 2 * kv * size) + 3 * dim * hidden;
    const floats = vocab * dim * (tied ? 1 : 2) + layers * block + dim + pos * size;
    const header = Int32Array.of(dim, hidden, layers, heads, kv, tied ? vocab : -vocab, pos);
    const rng = random(5);
    const weights = Float32Array.from({ length: floats }, () => rng.normal());
    return Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(weights.buffer)]);
  }

  /** As many pieces as asked for, of one letter each. */
  function pieces(n: number): Uint8Array {
    const parts = Array.from({ length: n }, (_, i) => {
      const piece = Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 97 + i]);
      piece.writeFloatLE(-i, 0);
      return piece;
    });
    return Buffer.concat([Buffer.from([4, 0, 0, 0]), ...parts]);
  }

  const made = (name: string, files: Readonly<Record<string, Uint8Array>>): string => {
    const at = join(folder, name);
    mkdirSync(at);
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(at, file), bytes);
    return at;
  };

  test.each([true, false])("is the Llama of the hub whose halves turn (tied: %s)", async (tied) => {
    const at = made(`llama2c-${tied}`, { "m.bin": llama2cFile(tied), "tok.bin": pieces(vocab) });
    const model = await openModel(at);
    expect(kinds(model)).toEqual(["file"]);
    expect(model.tokenizer!.d_vocab).toBe(vocab);
    // Pairs (0, 1), (2, 3), … of each head's rows become the halves (0, size / 2), …
    const file = await openLlama2c(folderStore(at), "m.bin");
    const halves = ({ shape, data }: Tensor<"float32">) =>
      tensor(
        "float32",
        shape,
        data.map((_, i) => {
          const [row, column] = [Math.floor(i / dim), i % dim];
          const place = row % size;
          const half = size / 2;
          const from = row - place + 2 * (place % half) + Math.floor(place / half);
          return data[from * dim + column]!;
        }),
      );
    const tensors: Record<string, Tensor> = {};
    for (const name of file.entries.keys()) {
      const read = (await file.read(name)) as Tensor<"float32">;
      tensors[hubName(name)] = /w[qk]\.weight$/.test(name) ? halves(read) : read;
    }
    const store = memoryStore();
    await writeSafetensors(store, "model.safetensors", tensors);
    await putJson(store, "config.json", {
      model_type: "llama",
      hidden_size: dim,
      intermediate_size: hidden,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kv,
      vocab_size: vocab,
      max_position_embeddings: pos,
      rms_norm_eps: 1e-5,
      hidden_act: "silu",
      tie_word_embeddings: tied,
    });
    const ids = [1, 5, 7, 2, 2, 11, 0, 3];
    const wanted = await lastLogits(backend, await openModel(store), ids);
    const got = await lastLogits(backend, model, ids);
    const most = Math.max(...wanted.map(Math.abs));
    expect(most).toBeGreaterThan(1);
    const far = Math.max(...got.map((x, i) => Math.abs(x - wanted[i]!)));
    expect(far / most).toBeLessThan(1e-5);
  });

  function hubName(name: string): string {
    const names: Readonly<Record<string, string>> = {
      "attention.wq": "self_attn.q_proj",
      "attention.wk": "self_attn.k_proj",
      "attention.wv": "self_attn.v_proj",
      "attention.wo": "self_attn.o_proj",
      "feed_forward.w1": "mlp.gate_proj",
      "feed_forward.w2": "mlp.down_proj",
      "feed_forward.w3": "mlp.up_proj",
      attention_norm: "input_layernorm",
      ffn_norm: "post_attention_layernorm",
      tok_embeddings: "embed_tokens",
    };
    const [, prefix, stem] = /^(layers\.\d+\.|)(.*)\.weight$/.exec(name)!;
    if (stem === "output") return "lm_head.weight";
    return `model.${prefix}${names[stem!] ?? stem}.weight`;
  }

  test("a tokenizer of another model is refused, both sides named", async () => {
    const at = made("llama2c-tok", { "m.bin": llama2cFile(true), "tok.bin": pieces(vocab + 1) });
    await expect(openModel(at)).rejects.toMatchObject({
      code: "model/tokenizer",
      got: "tok.bin: 13 pieces",
      wanted: "one file with 12 pieces",
    });
    expect((await openModel(at, { tokenizer: null })).tokenizer).toBeUndefined();
    const bare = made("llama2c-bare", { "m.bin": llama2cFile(true) });
    expect((await openModel(join(bare, "m.bin"))).tokenizer).toBeUndefined();
  });
});

describe("refusals name both sides", () => {
  const refusal = async (from: string) =>
    openModel(from, { cache: false }).then(
      () => expect.fail("accepted"),
      ({ code, message, where, got, wanted }) =>
        `${code} | ${[message, where, got, wanted].join(" | ")}`,
    );
  const empty = (name: string, files: Readonly<Record<string, string | Uint8Array>>): string => {
    const made = join(folder, name);
    mkdirSync(made, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(made, file), content);
    return made;
  };

  test("what is no model", async () => {
    expect(await refusal(empty("nothing", {}))).toMatch(/^model\/config .*an empty folder/);
    expect(await refusal(join(folder, "not-there"))).toMatch(/^model\/missing .*not-there/);
    const lone = empty("lone", { "w.safetensors": "x" });
    expect(await refusal(join(lone, "w.safetensors"))).toMatch(/no config\.json beside/);
    const config = readFileSync(`${llama}/config.json`);
    expect(await refusal(empty("weightless", { "config.json": config }))).toMatch(
      /^model\/weights .*config\.json alone/,
    );
    const two = { "config.json": config, "a.pt": "x", "b.pt": "x", "training_args.bin": "x" };
    expect(await refusal(empty("two", two))).toMatch(/several files could.*a\.pt, b\.pt \|/);
    const bytes = readFileSync(`${golden}/llama-f32.gguf`);
    expect(await refusal(empty("both", { "a.gguf": bytes, "b.gguf": bytes }))).toMatch(
      /several gguf models.*a\.gguf, b\.gguf/,
    );
  });

  test.each([
    ["an architecture", "llama", "mamba", /^model\/family .*mamba.*llama, qwen2/],
    [
      "a size",
      "llama.context_length",
      "llama.contextxlength",
      /^model\/config .*llama\.context_length/,
    ],
    [
      "a setting",
      "llama.vocab_size",
      "llama.vocab_skew",
      /^model\/config-unknown .*llama\.vocab_skew/,
    ],
  ])("%s that is not the one known", async (name, from, to, message) => {
    // Texts of one length, so that the file stays whole.
    const bytes = Buffer.from(readFileSync(`${golden}/llama-f32.gguf`));
    bytes.write(to, bytes.indexOf(from));
    expect(await refusal(empty(name, { "m.gguf": bytes }))).toMatch(message);
  });

  test("an embedding of another size than the metadata says", async () => {
    const bytes = Buffer.from(readFileSync(`${golden}/llama-f32.gguf`));
    const at = bytes.indexOf("llama.vocab_size") + "llama.vocab_size".length + 4;
    bytes.writeUInt32LE(47, at);
    expect(await refusal(empty("vocab", { "m.gguf": bytes }))).toMatch(
      /^model\/weights .*\[48, 16\].*47 rows by llama\.vocab_size/,
    );
  });
});
