import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { countWords, trainBpe } from "./bpe.ts";
import { pretokenize } from "./pretokenize.ts";
import { loadTokenizer } from "./tokenizer.ts";

const golden = JSON.parse(readFileSync("test/golden/text/bpe.json", "utf8")) as {
  corpus: string[];
  d_vocab: number;
  merges: string[];
};

function counted(texts: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) countWords(counts, text);
  return counts;
}

test("training makes the merges of Hugging Face's Rust trainer, in their order", () => {
  const trained = trainBpe(counted(golden.corpus), { d_vocab: 600, maxTokenLength: 1000 });
  expect(trained.model.merges).toEqual(golden.merges);
  expect(Object.keys(trained.model.vocab).length).toBe(golden.d_vocab);
});

test("the order of the texts does not matter", () => {
  const one = trainBpe(counted(golden.corpus), { d_vocab: 500 });
  const other = trainBpe(counted([...golden.corpus].reverse()), { d_vocab: 500 });
  expect(other.model.merges).toEqual(one.model.merges);
});

test("no token is longer than asked and none crosses a border between pieces", () => {
  const trained = trainBpe(counted(golden.corpus), {
    d_vocab: 4096,
    maxTokenLength: 6,
    minCount: 1,
  });
  const tokenizer = loadTokenizer(trained);
  for (let id = 257; id < tokenizer.d_vocab; id++) {
    expect(tokenizer.tokenBytes(id).length).toBeLessThanOrEqual(6);
    const [piece] = tokenizer.pieces([id]);
    if (piece!.hex === undefined && piece!.text !== " ")
      expect(pretokenize(piece!.text).length).toBeLessThanOrEqual(2);
  }
});

test("counts stay exact: a slow trainer that recounts at every step merges the same pairs", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom("a", "b", " ", "c") }), { minLength: 1 }),
      (texts) => {
        const counts = counted([...texts, "a"]);
        const { model } = trainBpe(counts, { d_vocab: 280, maxTokenLength: 8, minCount: 1 });
        expect(model.merges).toEqual(slowMerges(counts, model.vocab, 280 - 257, 8));
      },
    ),
    { numRuns: 60 },
  );
});

/** Recounts everything before every merge. */
function slowMerges(
  counts: Map<string, number>,
  ids: Record<string, number>,
  limit: number,
  longest: number,
): string[] {
  const words = [...counts].map(([word, n]): [string[], number] => [
    [...word.replaceAll(" ", "Ġ")],
    n,
  ]);
  const merges: string[] = [];
  const known = new Set<string>();
  while (known.size < limit) {
    const pairs = new Map<string, number>();
    for (const [parts, n] of words)
      for (let i = 0; i + 1 < parts.length; i++)
        if (parts[i]!.length + parts[i + 1]!.length <= longest) {
          const key = `${parts[i]} ${parts[i + 1]}`;
          pairs.set(key, (pairs.get(key) ?? 0) + n);
        }
    if (pairs.size === 0) break;
    const order = (key: string): number[] => key.split(" ").map((part) => ids[part]!);
    const best = [...pairs].reduce((a, b) => {
      if (a[1] !== b[1]) return a[1] > b[1] ? a : b;
      const [al, ar] = order(a[0]);
      const [bl, br] = order(b[0]);
      return al! < bl! || (al === bl && ar! < br!) ? a : b;
    })[0];
    const [left, right] = best.split(" ") as [string, string];
    merges.push(best);
    known.add(left + right);
    for (const word of words) {
      const merged: string[] = [];
      for (let i = 0; i < word[0].length; i++)
        if (word[0][i] === left && word[0][i + 1] === right) merged.push(left + word[0][++i]!);
        else merged.push(word[0][i]!);
      word[0] = merged;
    }
  }
  return merges;
}

test("nothing to train on is an error with a name", () => {
  expect(() => trainBpe(new Map(), { d_vocab: 300 })).toThrow(/no text/);
});
