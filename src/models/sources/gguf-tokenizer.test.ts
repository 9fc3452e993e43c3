import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { GgufValue } from "../../formats/gguf/metadata.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";

// Made by scripts/golden/sentencepiece_bpe.py with tokenizers.
const golden = JSON.parse(readFileSync("test/golden/text/sentencepiece.json", "utf8")) as {
  entries: string[];
  scores: number[];
  marks: string[];
  marked: { addPrefix: boolean; rstrip: boolean; cases: { text: string; ids: number[] }[] }[];
};

test("a file's control tokens are found in a text; Phi 3's take the space after them", () => {
  const tokens = [...golden.entries, ...golden.marks];
  const types = tokens.map((_, id) =>
    id === 0 ? 2 : id < 3 || id >= golden.entries.length ? 3 : 1,
  );
  for (const { addPrefix, rstrip, cases } of golden.marked) {
    const metadata = new Map<string, GgufValue>([
      ["general.architecture", rstrip ? "phi3" : "llama"],
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.scores", tokens.map((_, id) => golden.scores[id] ?? 0)],
      ["tokenizer.ggml.token_type", types],
      ["tokenizer.ggml.add_space_prefix", addPrefix],
    ]);
    const tokenizer = ggufTokenizer(metadata, { where: "a file", gpt2: false })!;
    // Phi 3's own `</s>` takes it too: the golden's does not, and no case has a space there.
    for (const { text, ids } of cases)
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
  }
});
