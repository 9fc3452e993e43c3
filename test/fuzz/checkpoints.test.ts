// Do whole models survive bad files? What GGUF says of sizes and tokens, and llama2.c's header.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openModel } from "../../src/models/open.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import { sizeOf } from "../../src/tensor/tensor.ts";
import { fuzz } from "./fuzz.ts";
import { mutateBytes } from "./mutate.ts";
import type { Reader } from "./readers.ts";

const golden = (name: string): Uint8Array => readFileSync(`test/golden/${name}`);
const ggufs = ["llama-f32", "llama-q8_0", "qwen3-q8_0", "gpt2-f16"].map((name) =>
  golden(`checkpoints/${name}.gguf`),
);
/** Behind the names of the tensors there are numbers only. */
const headBytes = 14_000;

async function open(key: string, bytes: Uint8Array, beside: Uint8Array): Promise<void> {
  const store = memoryStore();
  await store.put(key, bytes);
  await store.put("tokenizer.bin", beside);
  const { tokenizer, weights } = await openModel(store);
  for (const [name, { shape, data }] of Object.entries(weights))
    if (sizeOf(shape) !== data.length) throw new Error(`${name} is not its shape`);
  if (tokenizer !== undefined) tokenizer.decode(tokenizer.encode("the moss 🙂"));
}

const readers: readonly Reader[] = [
  {
    name: "a model in GGUF",
    seeds: ggufs,
    mutate: (seeds, rng) => {
      const seed = rng.pick(seeds);
      const head = mutateBytes([seed.subarray(0, headBytes)], rng);
      return new Uint8Array(Buffer.concat([head, seed.subarray(headBytes)]));
    },
    read: (bytes) => open("m.gguf", bytes, new Uint8Array()),
  },
  {
    name: "a model of llama2.c",
    seeds: [golden("formats/untied.llama2c.bin")],
    mutate: mutateBytes,
    read: (bytes) => open("m.bin", bytes, golden("formats/tokenizer.llama2c.bin")),
  },
  {
    name: "the tokenizer beside a model of llama2.c",
    seeds: [golden("formats/tokenizer.llama2c.bin")],
    mutate: mutateBytes,
    read: (bytes) => open("m.bin", golden("formats/untied.llama2c.bin"), bytes),
  },
];

test.each(readers)("$name: 2,000 bad files are refused or read, nothing else", async (reader) => {
  const { accepted, refused } = await fuzz(reader, 0, 2000);
  expect(accepted + refused).toBe(2000);
  expect(accepted).toBeGreaterThan(10);
});
