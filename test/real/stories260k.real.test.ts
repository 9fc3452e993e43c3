// A Llama that tells stories, in llama2.c's format: its text to the last character, and its surprise.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generate, runWithCache } from "../../src/hooks/index.ts";
import { type Model, openModel } from "../../src/models/index.ts";
import { ortBackend } from "../../src/runtime/index.ts";
import { tensor } from "../../src/tensor/index.ts";
import { reached, readJson, withData } from "./data.ts";

withData("models/stories260K", (folder) => {
  const backend = ortBackend({ threads: 1 });
  let model: Model;
  beforeAll(async () => {
    model = await openModel(folder);
  });
  afterAll(() => backend.release());

  test("writes its expected text", async () => {
    const tokenizer = model.tokenizer!;
    const start = tokenizer.encode("", { special: true });
    const tokens: number[] = [];
    // 200 places, the first of which is the beginning.
    for await (const { rows } of generate(model, backend, [start], { max_new_tokens: 200 }))
      tokens.push(rows[0]!.token);
    const expected = readFileSync(join(folder, "expected.txt"), "utf8");
    const text = tokenizer.decode(tokens);
    const same = [...text].findIndex((letter, i) => letter !== expected[i]);
    reached("stories260K", `${same < 0 ? text.length : same} of ${expected.length} characters`);
    expect(text.trimEnd()).toBe(expected.trimEnd());
  });

  // Over whole stories, which run to 415 tokens, the mean is 1.393.
  test("its mean surprise on 256 tokens of each of twelve stories is 1.382 nats", async () => {
    const stories = readJson(join(folder, "tinystories_1000.json")) as string[];
    let sum = 0;
    let count = 0;
    for (const story of stories.slice(0, 12)) {
      const ids = model.tokenizer!.encode(story, { special: true }).slice(0, 256);
      const tokens = tensor("int32", [1, ids.length], ids);
      const { logits } = await runWithCache(model, backend, tokens, { logits: true });
      for (let pos = 0; pos + 1 < ids.length; pos++) {
        sum += surprise(
          logits!.data,
          pos * model.config.d_vocab,
          model.config.d_vocab,
          ids[pos + 1]!,
        );
        count += 1;
      }
    }
    reached("stories260K", `${(sum / count).toFixed(5)} nats a token over ${count} tokens`);
    expect(sum / count).toBeCloseTo(1.382, 3);
  });
});

/** −log p of one token, in float64. */
function surprise(logits: Float32Array, from: number, n: number, token: number): number {
  const row = logits.subarray(from, from + n);
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let total = 0;
  for (const x of row) total += Math.exp(x - most);
  return Math.log(total) + most - row[token]!;
}
