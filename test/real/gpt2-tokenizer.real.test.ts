// GPT-2's own vocabulary: the ids of test texts that llama.cpp uses for it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadTokenizer } from "../../src/text/index.ts";
import { reached, withData } from "./data.ts";

withData("tokenizers/gpt2", (folder) => {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");

  test("encodes every text as the others do, and decodes it again", () => {
    const tokenizer = loadTokenizer(read("tokenizer.json"));
    const texts = read("encodings.inp").split("\n__ggml_vocab_test__\n");
    const ids = read("encodings.out").split("\n");
    expect(texts.length).toBe(ids.length);
    const same = texts.filter((text, i) => {
      const wanted = ids[i]!.trim().split(/\s+/).filter(Boolean).map(Number);
      return [...tokenizer.encode(text)].join() === wanted.join();
    });
    reached("GPT-2's tokenizer", `${same.length} of ${texts.length} texts`);
    expect(same).toEqual(texts);
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});
