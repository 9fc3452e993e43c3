import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ScoreVocabulary, scoreTokenizer } from "./score-tokenizer.ts";

// Made by scripts/golden/sentencepiece_bpe.py with the C++ library.
const golden = JSON.parse(readFileSync("test/golden/text/sentencepiece.json", "utf8")) as {
  entries: string[];
  scores: number[];
  cases: { text: string; ids: number[]; decoded: string }[];
  marks: string[];
  marked: { addPrefix: boolean; rstrip: boolean; cases: { text: string; ids: number[] }[] }[];
};
const tokenizer = scoreTokenizer(golden);

test("ids and texts are SentencePiece's", () => {
  for (const { text, ids, decoded } of golden.cases) {
    expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
  }
  expect([...tokenizer.encode("moss", { special: true })][0]).toBe(1);
  expect(tokenizer.policy).toEqual({ before: [1], after: [], source: "config" });
});

const letters = fc.oneof(
  fc.constantFrom(..."moss the, \n\t\0é細🙂\u200f\u0301", "\ud83d", "\udc00", "  "),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);

test("every text comes back, and equal scores merge from the left", () => {
  fc.assert(
    fc.property(fc.string({ unit: letters, maxLength: 40 }), (text) => {
      const plain = text.replace(/\p{Surrogate}/gu, "\ufffd").replaceAll("\u2581", "");
      expect(tokenizer.decode(tokenizer.encode(plain))).toBe(plain);
    }),
    { numRuns: 100 },
  );
  const entries = ["<unk>", "<s>", "</s>", "a", "b", "c", "ab", "bc", " "];
  const tied = scoreTokenizer({ entries, scores: entries.map(() => -1), addPrefix: false });
  expect(tied.pieces(tied.encode("abc abc")).map(({ text }) => text)).toEqual([
    ..."ab,c, ,ab,c".split(","),
  ]);
});

test("marks within a text are found whole, as transformers finds them", () => {
  const entries = [...golden.entries, ...golden.marks];
  const scores = entries.map((_, id) => golden.scores[id] ?? 0);
  for (const { addPrefix, rstrip, cases } of golden.marked) {
    const whole = [0, 1, 2, ...golden.marks.map((_, i) => golden.entries.length + i)].map((id) => ({
      id,
      special: true,
      rstrip: rstrip && id > 2,
    }));
    const marking = scoreTokenizer({ entries, scores, addPrefix, whole });
    for (const { text, ids } of cases) {
      expect([...marking.encode(text)], JSON.stringify(text)).toEqual(ids);
      const { bytes } = marking.encodeWithOffsets(text);
      const mark = ids.findIndex((id) => id >= golden.entries.length);
      if (mark < 0 || rstrip) continue;
      const cut = Buffer.from(text).subarray(bytes[2 * mark], bytes[2 * mark + 1]);
      expect(cut.toString()).toBe(entries[ids[mark]!]);
    }
    expect(marking.decode(marking.encode("<|user|>"), { special: false })).toBe("");
  }
});

test("scores that do not fit the entries are refused", () => {
  expect(() => scoreTokenizer({ ...golden, scores: [1] })).toThrow(/differ in number/);
  expect(() => scoreTokenizer({ ...golden, bos: 1e6 })).toThrow(/not in the vocabulary/);
  const whole = [{ id: -1, special: true, rstrip: false }];
  expect(() => scoreTokenizer({ ...golden, whole })).toThrow(/not in the vocabulary/);
});

const stories = "../shared/data/models/stories260K";
if (!existsSync(stories)) console.log(`skipped: the tokenizer of stories260K (no ${stories})`);
test.skipIf(!existsSync(stories))("stories260K's vocabulary encodes as llama2.c does", () => {
  const vocabulary = readTok(readFileSync(`${stories}/tok512.bin`));
  const loaded = scoreTokenizer(vocabulary);
  const text = readFileSync(`${stories}/expected.txt`, "utf8");
  for (const sample of [text, "café 🙂\n\n tab\t", "", " ", "zzzz  qqqq"]) {
    const ids = [...loaded.encode(sample)];
    expect(ids, sample).toEqual(greedy(vocabulary, sample));
    expect(loaded.decode(ids)).toBe(sample);
  }
});

function readTok(bytes: Buffer): ScoreVocabulary & { scores: number[]; entries: string[] } {
  const entries: string[] = [];
  const scores: number[] = [];
  for (let at = 4; at < bytes.length; ) {
    scores.push(bytes.readFloatLE(at));
    const length = bytes.readInt32LE(at + 4);
    entries.push(bytes.toString("utf8", at + 8, at + 8 + length));
    at += 8 + length;
  }
  return { entries, scores };
}

/** The loop of llama2.c's `encode`, slow and plain: all pairs, the best, once more. */
function greedy({ entries, scores }: { entries: string[]; scores: number[] }, text: string) {
  const ids = new Map(entries.map((entry, id) => [entry, id]));
  const tokens: number[] = text === "" ? [] : [ids.get(" ")!];
  for (const point of text) {
    const id = ids.get(point);
    if (id !== undefined) tokens.push(id);
    else for (const byte of Buffer.from(point)) tokens.push(byte + 3);
  }
  for (;;) {
    let best = Number.NEGATIVE_INFINITY;
    let at = -1;
    let made = -1;
    for (let i = 0; i + 1 < tokens.length; i++) {
      const id = ids.get(entries[tokens[i]!]! + entries[tokens[i + 1]!]!);
      if (id !== undefined && scores[id]! > best) {
        best = scores[id]!;
        at = i;
        made = id;
      }
    }
    if (at < 0) return tokens;
    tokens.splice(at, 2, made);
  }
}
