import { expect, test } from "vitest";
import { countWords, trainBpe } from "./bpe.ts";
import { generators } from "./generators.ts";
import { mixtureRows } from "./mixture.ts";
import { rowStream } from "./row-stream.ts";
import { loadTokenizer } from "./tokenizer.ts";

const made = generators({ seed: 5 });
const counts = new Map<string, number>();
for (const { text } of made.take("log", "grow", 40)) countWords(counts, text);
const tokenizer = loadTokenizer(trainBpe(counts, { d_vocab: 600 }));
const options = {
  seed: 5,
  weights: { log: 1, "base64-random": 1 },
  documents: made.take("json", "grow", 5),
  generators: made,
  split: "grow" as const,
};

test("a row is the same, read in order, again, or alone", () => {
  const stream = rowStream(tokenizer, options, { n_ctx: 16 });
  const all = mixtureRows(tokenizer, options, { n_ctx: 16 }).take(9000).tokens;
  const reads: [number, number][] = [
    [0, 3],
    [3, 4],
    [6, 5],
    [8000, 100],
    [2, 2],
    [5000, 64],
    [8999, 1],
    [4100, 3],
  ];
  for (const [row, count] of reads)
    expect(stream.read(row, count), `row ${row}`).toEqual(all.slice(16 * row, 16 * (row + count)));
  const alone = rowStream(tokenizer, options, { n_ctx: 16 });
  expect(alone.read(8500, 10)).toEqual(all.slice(16 * 8500, 16 * 8510));
});

test("the id names what the rows depend on", () => {
  const id = (changed: object): string =>
    rowStream(tokenizer, { ...options, ...changed }, { n_ctx: 16 }).id;
  expect(id({})).toBe(id({}));
  expect(id({ seed: 6 })).not.toBe(id({}));
  expect(id({ documents: [] })).not.toBe(id({}));
  expect(id({ weights: { log: 2, "base64-random": 1 } })).not.toBe(id({}));
});
