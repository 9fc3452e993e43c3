import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countWords, trainBpe } from "./bpe.ts";
import type { Document } from "./document.ts";
import { generators } from "./generators.ts";
import { mixture, mixtureRows } from "./mixture.ts";
import { packRows } from "./pack.ts";
import { loadTokenizer } from "./tokenizer.ts";

const golden = JSON.parse(readFileSync("test/golden/text/bpe.json", "utf8")) as {
  corpus: string[];
};
const counts = new Map<string, number>();
for (const text of golden.corpus) countWords(counts, text);
const tokenizer = loadTokenizer(trainBpe(counts, { d_vocab: 450 }));

function document(text: string, context: string, more: Partial<Document> = {}): Document {
  return { id: `${context}/${text.length}`, text, context, source: "file", split: "grow", ...more };
}
const documents = golden.corpus.map((text, i) =>
  document(text, i % 3 === 0 ? "one" : "two", { id: String(i) }),
);

test("rows hold the documents one after the other, each followed by end-of-text", () => {
  const { tokens, rows, n_ctx, doc, context, contexts } = packRows(tokenizer, documents, {
    n_ctx: 16,
  });
  const all = documents.flatMap(({ text }) => [...tokenizer.encode(text), tokenizer.eot]);
  expect([...tokens]).toEqual(all.slice(0, rows * n_ctx));
  expect(rows).toBe(Math.floor(all.length / n_ctx));
  tokens.forEach((token, i) => {
    const wanted = token === tokenizer.eot ? "end-of-text" : documents[doc[i]!]!.context;
    expect(contexts[context[i]!]).toBe(wanted);
  });
});

test("a token's label is the context of its first character", () => {
  const text = "low newer U2Fs newest wide";
  const spans = [
    { start: 0, end: 10, context: "around" },
    { start: 14, end: 26, context: "around" },
  ];
  const rows = packRows(tokenizer, [document(text, "base64", { spans })], { n_ctx: 32 });
  const { chars, ids } = tokenizer.encodeWithOffsets(text);
  ids.forEach((_, i) => {
    const inside = chars[2 * i]! >= 10 && chars[2 * i]! < 14;
    expect(rows.contexts[rows.context[i]!]).toBe(inside ? "base64" : "around");
  });
});

test("a corpus shorter than a row gives one row, padded with end-of-text", () => {
  const { rows, tokens } = packRows(tokenizer, [document("low", "one")], { n_ctx: 64 });
  expect(rows).toBe(1);
  expect(tokens.at(-1)).toBe(tokenizer.eot);
  expect(tokenizer.decode(tokens.filter((id) => id !== tokenizer.eot))).toBe("low");
});

test("whole documents begin at a row's start", () => {
  const { tokens, rows, doc } = packRows(tokenizer, documents, { n_ctx: 16, wholeDocs: true });
  let row = 0;
  documents.forEach(({ text }, d) => {
    const ids = [...tokenizer.encode(text)];
    expect([...tokens.subarray(row * 16, row * 16 + ids.length)]).toEqual(ids);
    expect(doc[row * 16]).toBe(d);
    row += Math.ceil((ids.length + 1) / 16);
  });
  expect(rows).toBe(row);
});

test("no documents is an error with a name", () => {
  expect(() => packRows(tokenizer, [], { n_ctx: 8 })).toThrow(/no text/);
});

const options = {
  seed: 3,
  weights: { one: 2, file: 1, "base64-random": 1, generator: 0.5 },
  documents,
  generators: generators({ seed: 3, texts: documents }),
  split: "grow" as const,
};

test("a mixture gives each weight its share of the tokens", () => {
  const source = mixtureRows(tokenizer, options, { n_ctx: 64 });
  const { tokens, context, contexts, doc, documents: from } = source.take(4000);
  const counts = new Map<string, number>();
  tokens.forEach((_, i) => {
    const { source, context } = from[doc[i]!]!;
    const key = context === "one" || context === "base64-random" ? context : source;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  for (const [key, weight] of Object.entries(options.weights))
    expect(counts.get(key)! / tokens.length, key).toBeCloseTo(weight / 4.5, 1);
  expect(context.every((c) => contexts[c] !== undefined)).toBe(true);
});

test("rows continue after an interruption with the rows that would have come", () => {
  const whole = mixtureRows(tokenizer, options, { n_ctx: 32 });
  const taken = [5, 1, 17, 3, 40].map((rows) => {
    const made = whole.take(rows);
    return { made, state: structuredClone(whole.state()) };
  });
  for (let i = 0; i + 1 < taken.length; i++) {
    const state = JSON.parse(JSON.stringify(taken[i]!.state));
    const resumed = mixtureRows(tokenizer, options, { n_ctx: 32 }, state);
    const { made: wanted } = taken[i + 1]!;
    const made = resumed.take(wanted.rows);
    expect([...made.tokens]).toEqual([...wanted.tokens]);
    expect([...made.context]).toEqual([...wanted.context]);
    expect(made.contexts).toEqual(wanted.contexts);
    expect(made.documents[made.doc[0]!]).toEqual(wanted.documents[wanted.doc[0]!]);
    expect(JSON.parse(JSON.stringify(resumed.state()))).toEqual(taken[i + 1]!.state);
  }
});

test("each document of a group comes once before any comes again", () => {
  const source = mixture({ ...options, weights: { file: 1 } });
  const n = documents.length;
  const ids = Array.from({ length: 2 * n }, () => source.next().id);
  expect(new Set(ids.slice(0, n)).size).toBe(n);
  expect(new Set(ids.slice(n)).size).toBe(n);
  expect(ids.slice(n)).not.toEqual(ids.slice(0, n));
});

test("a weight that names nothing is refused", () => {
  expect(() => mixture({ ...options, weights: { klingon: 1 } })).toThrow(/names no document/);
});
