import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { folderStore } from "../../storage/folder.ts";
import { memoryStore } from "../../storage/memory.ts";
import { type Llama2cFile, openLlama2c } from "./llama2c.ts";
import { parseLlama2cTokenizer } from "./tokenizer.ts";

const golden = folderStore("test/golden/formats");

test("an untied file counts from its first weight to its last", async () => {
  const file = await openLlama2c(golden, "untied.llama2c.bin");
  expect(file.config).toEqual({
    dim: 4,
    hidden_dim: 6,
    n_layers: 2,
    n_heads: 2,
    n_kv_heads: 1,
    vocab_size: 5,
    seq_len: 3,
    tied: false,
  });
  const first = async (name: string) => (await file.read(name)).data[0];
  expect(await first("tok_embeddings.weight")).toBe(0);
  expect(await first("layers.1.attention_norm.weight")).toBe(5 * 4 + 4);
  expect(await first("layers.0.attention.wq.weight")).toBe(5 * 4 + 2 * 4);
  expect(file.entries.get("layers.1.attention.wk.weight")!.shape).toEqual([2, 4]);
  expect(file.entries.get("layers.1.feed_forward.w2.weight")!.shape).toEqual([4, 6]);
  // The last of 1252 bytes: 306 floats behind 28 bytes, of which 5 · 4 are the unembedding.
  expect([...(await file.read("output.weight")).data]).toEqual(
    Array.from({ length: 20 }, (_, i) => 306 - 20 + i),
  );
  expect(file.entries.get("output.weight")!.range).toEqual([1252 - 80, 1252]);
});

test("pieces of a tokenizer", async () => {
  const bytes = await golden.get("tokenizer.llama2c.bin");
  const { pieces, scores } = parseLlama2cTokenizer(bytes, "t");
  expect(pieces.map((piece) => new TextDecoder().decode(piece))).toEqual([
    "<unk>",
    "\n<s>\n",
    "<0x0A>",
    "é",
    " a",
  ]);
  expect([...scores].map(Math.abs)).toEqual([0, 0.5, 1, 1.5, 2]);
});

test("lies of a header are refused before anything is built", async () => {
  const good = new Uint8Array(await golden.get("untied.llama2c.bin"));
  const refused = async (index: number, value: number, length = good.length) => {
    const store = memoryStore();
    const bytes = good.slice(0, length);
    new DataView(bytes.buffer).setInt32(4 * index, value, true);
    await store.put("x", bytes);
    return openLlama2c(store, "x").then(
      () => "accepted",
      (error) => error.code,
    );
  };
  expect(await refused(0, 4)).toBe("accepted");
  expect(await refused(0, 4, 1248)).toBe("format/llama2c-length");
  expect(await refused(2, 2 ** 31 - 1)).toBe("format/llama2c-length");
  expect(await refused(5, -(2 ** 31))).toBe("format/llama2c-length");
  expect(await refused(3, 0)).toBe("format/llama2c");
  expect(await refused(1, -6)).toBe("format/llama2c");
  expect(await refused(3, 4)).toBe("format/llama2c");
  expect(await refused(0, 0x616b3432)).toBe("format/llama2c");
  expect(await refused(0, 0, 20)).toBe("format/llama2c-length");
});

const real = ["../shared/data/models/stories260K"].find((path) => existsSync(path));

describe.skipIf(real === undefined)("stories260K, a model that others trained", () => {
  if (real === undefined) console.warn("skipped: ../shared/data/models/stories260K is absent");

  test("greedy from the first token, it tells the expected story to the last letter", async () => {
    const file = await openLlama2c(folderStore(real!), "stories260K.bin");
    expect(file.config).toMatchObject({ dim: 64, n_layers: 5, n_kv_heads: 4, tied: true });
    const tokenizer = parseLlama2cTokenizer(readFileSync(`${real}/tok512.bin`), "tok512.bin");
    expect(tokenizer.pieces.length).toBe(file.config.vocab_size);
    const text = await story(file, tokenizer.pieces, 200);
    expect(text.trim()).toBe(readFileSync(`${real}/expected.txt`, "utf8").trim());
  });
});

/** run.c of llama2.c, slowly: greedy text after token 1. */
async function story(file: Llama2cFile, pieces: readonly Uint8Array[], steps: number) {
  const { dim, n_layers, n_heads, n_kv_heads } = file.config;
  const w: Record<string, Float32Array> = {};
  for (const name of file.entries.keys()) w[name] = (await file.read(name)).data as Float32Array;
  const size = dim / n_heads;
  const keys: Float64Array[][] = Array.from({ length: n_layers }, () => []);
  const values: Float64Array[][] = Array.from({ length: n_layers }, () => []);
  const product = (m: Float32Array, x: Float64Array) => {
    const out = new Float64Array(m.length / x.length);
    for (let i = 0; i < out.length; i++)
      for (let j = 0; j < x.length; j++) out[i]! += m[i * x.length + j]! * x[j]!;
    return out;
  };
  const norm = (x: Float64Array, g: Float32Array) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + 1e-5);
    return x.map((v, i) => v * scale * g[i]!);
  };
  const rotate = (x: Float64Array, pos: number) => {
    for (let i = 0; i < x.length; i += 2) {
      const angle = pos * 10000 ** -((i % size) / size);
      const [a, b] = [x[i]!, x[i + 1]!];
      x[i] = a * Math.cos(angle) - b * Math.sin(angle);
      x[i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
    return x;
  };
  const out: Buffer[] = [];
  let token = 1;
  for (let pos = 0; pos < steps; pos++) {
    const embed = w["tok_embeddings.weight"]!;
    let x = Float64Array.from(embed.subarray(token * dim, (token + 1) * dim));
    for (let layer = 0; layer < n_layers; layer++) {
      const of = (name: string) => w[`layers.${layer}.${name}.weight`]!;
      const h = norm(x, of("attention_norm"));
      const q = rotate(product(of("attention.wq"), h), pos);
      keys[layer]!.push(rotate(product(of("attention.wk"), h), pos));
      values[layer]!.push(product(of("attention.wv"), h));
      const z = new Float64Array(dim);
      for (let head = 0; head < n_heads; head++) {
        const at = Math.floor((head * n_kv_heads) / n_heads) * size;
        const scores = keys[layer]!.map((k) => {
          let sum = 0;
          for (let i = 0; i < size; i++) sum += q[head * size + i]! * k[at + i]!;
          return Math.exp(sum / Math.sqrt(size));
        });
        const total = scores.reduce((a, b) => a + b, 0);
        scores.forEach((p, t) => {
          for (let i = 0; i < size; i++)
            z[head * size + i]! += (p / total) * values[layer]![t]![at + i]!;
        });
      }
      const attended = product(of("attention.wo"), z);
      x = x.map((v, i) => v + attended[i]!);
      const f = norm(x, of("ffn_norm"));
      const gate = product(of("feed_forward.w1"), f);
      const up = product(of("feed_forward.w3"), f);
      const down = product(
        of("feed_forward.w2"),
        gate.map((v, i) => (v / (1 + Math.exp(-v))) * up[i]!),
      );
      x = x.map((v, i) => v + down[i]!);
    }
    const logits = product(embed, norm(x, w["norm.weight"]!));
    const next = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
    if (next === 1) break;
    const piece = Buffer.from(pieces[next]!);
    const byte = /^<0x([0-9A-F]{2})>$/.exec(piece.toString("latin1"));
    const shown = byte ? Buffer.from(byte[1]!, "hex") : piece;
    // The space before the first word is the tokenizer's, not the text's.
    out.push(token === 1 && shown[0] === 0x20 ? shown.subarray(1) : shown);
    token = next;
  }
  return Buffer.concat(out).toString();
}
