import { existsSync, readFileSync } from "node:fs";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isError } from "../base/errors.ts";
import { countWords, trainBpe } from "./bpe.ts";
import { gpt2Pattern, pretokenize } from "./pretokenize.ts";
import { loadTokenizer } from "./tokenizer.ts";

const golden = JSON.parse(readFileSync("test/golden/text/bpe.json", "utf8")) as {
  corpus: string[];
  encodings: { text: string; ids: number[]; offsets: [number, number][] }[];
};
const counts = new Map<string, number>();
for (const text of golden.corpus) countWords(counts, text);
const file = trainBpe(counts, { d_vocab: 600, maxTokenLength: 1000 });
const tokenizer = loadTokenizer(file);
const nasty = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."ab'stre lvdm.19\n\t\r\u0000\u00a0\u2003\u200f\u202e細胞é🙂\u0301ส"),
    fc.constantFrom("\ud83d", "\ude00", "\ufffd", "<|endoftext|>", "newer", "  "),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
  maxLength: 60,
});
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

test("the scanner cuts where GPT-2's pattern does", () => {
  fc.assert(
    fc.property(nasty, (text) => {
      expect(pretokenize(text)).toEqual(text.match(gpt2Pattern) ?? []);
    }),
    { numRuns: 2000 },
  );
});

test("ids and offsets are those of Hugging Face's Rust library", () => {
  for (const { text, ids, offsets } of golden.encodings) {
    const ours = tokenizer.encodeWithOffsets(text);
    expect([...ours.ids], JSON.stringify(text)).toEqual(ids);
    expect([...tokenizer.encode(text)]).toEqual(ids);
    // The Rust library counts code points, we count UTF-16 units.
    const units = [0];
    for (const point of text) units.push(units.at(-1)! + point.length);
    expect([...ours.chars]).toEqual(offsets.flat().map((point) => units[point]!));
  }
});

test("the JavaScript library loads our file and encodes and decodes the same", () => {
  const library = new LibraryTokenizer(file, { clean_up_tokenization_spaces: false });
  fc.assert(
    fc.property(nasty, (text) => {
      // Its white space is JavaScript's: it differs from the Rust library at these two.
      const clean = wellFormed(text.replace(/[\u0085\ufeff]/g, ""));
      if (clean === "") return;
      const ids = [...tokenizer.encode(clean)];
      expect(ids).toEqual(library.encode(clean, { add_special_tokens: false }).ids);
      expect(tokenizer.decode(ids)).toBe(library.decode(ids));
    }),
    { numRuns: 1000 },
  );
});

test("decoding gives the text back, each lone surrogate as U+FFFD", () => {
  fc.assert(
    fc.property(nasty, (text) => {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(wellFormed(text));
    }),
    { numRuns: 1000 },
  );
});

test("offsets cover the text: bytes without a gap, characters so that they contain the bytes", () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const { ids, chars, bytes } = tokenizer.encodeWithOffsets(text);
      const all = new TextEncoder().encode(text);
      let from = 0;
      ids.forEach((id, i) => {
        expect(bytes[2 * i]).toBe(from);
        from = bytes[2 * i + 1]!;
        const own = tokenizer.tokenBytes(id);
        expect([...own]).toEqual([...all.subarray(bytes[2 * i]!, from)]);
        const covered = new TextEncoder().encode(text.slice(chars[2 * i], chars[2 * i + 1]));
        expect(Buffer.from(covered).includes(Buffer.from(own))).toBe(true);
        if (tokenizer.pieces([id])[0]!.hex === undefined) expect([...covered]).toEqual([...own]);
      });
      expect(from).toBe(all.length);
    }),
    { numRuns: 1000 },
  );
});

test("a token that is half a character shows its bytes and covers the whole character", () => {
  const { ids, chars } = tokenizer.encodeWithOffsets("\u{1d7d9}"); // four bytes, no merges for it
  expect(ids.length).toBeGreaterThan(1);
  expect([...chars]).toEqual(Array.from(ids, () => [0, 2]).flat());
  const hex = tokenizer.pieces(ids).map((piece) => piece.hex);
  expect(hex.join("")).toBe("F09D9F99");
  expect(tokenizer.pieces([tokenizer.eot])).toEqual([{ text: "", special: "<|endoftext|>" }]);
});

test("a megabyte without a space takes well under five seconds and decodes exactly", () => {
  for (const text of ["a".repeat(1e6), "ab".repeat(5e5), "細胞".repeat(2e5), " ".repeat(1e6)]) {
    const started = performance.now();
    const ids = tokenizer.encode(text);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(tokenizer.decode(ids)).toBe(text);
  }
});

test("a long word merges as a short one does", () => {
  const library = new LibraryTokenizer(file, {});
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."abewnrlo"), minLength: 100, maxLength: 400 }),
      (text) => {
        expect([...tokenizer.encode(text)]).toEqual(library.encode(text).ids);
      },
    ),
    { numRuns: 200 },
  );
});

test("NFC tokenizers give offsets in the text as it was written", () => {
  const nfc = loadTokenizer({ ...file, normalizer: { type: "NFC" } });
  const text = "x e\u0301te\u0301 \u1100\u1161\u11a8 y";
  const { ids, chars } = nfc.encodeWithOffsets(text);
  expect(nfc.decode(ids)).toBe(text.normalize("NFC"));
  expect(chars.at(-1)).toBe(text.length);
  nfc.pieces(ids).forEach((piece, i) => {
    if (piece.hex === undefined)
      expect(text.slice(chars[2 * i], chars[2 * i + 1]).normalize("NFC")).toBe(piece.text);
  });
});

test("another pattern goes through the library's pre-tokenizer", () => {
  const digits = {
    type: "Sequence",
    pretokenizers: [
      {
        type: "Split",
        pattern: { Regex: "\\p{N}{1,2}|[^\\p{N}]+" },
        behavior: "Isolated",
        invert: false,
      },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ],
  };
  const changed = { ...file, pre_tokenizer: digits };
  const ours = loadTokenizer(changed);
  const library = new LibraryTokenizer(changed, {});
  for (const { text } of golden.encodings)
    if (text !== "") expect([...ours.encode(text)]).toEqual(library.encode(text).ids);
});

describe("a broken tokenizer.json", () => {
  const text = JSON.stringify(file);
  const model = (changes: object): object => ({ ...file, model: { ...file.model, ...changes } });
  const cases: [string, string | object][] = [
    ["cut off", text.slice(0, text.length / 2)],
    ["empty", ""],
    ["a list", "[]"],
    ["without a model", {}],
    ["with ids that are no ids", model({ vocab: { ...file.model.vocab, ab: 1e12 } })],
    ["with two entries of one id", model({ vocab: { ...file.model.vocab, abc: 5 } })],
    ["with a foreign letter", model({ vocab: { ...file.model.vocab, "a b": 601 } })],
    ["with merges of unknown entries", model({ merges: ["q Ġq"] })],
    ["with merges that are no pairs", model({ merges: [7] })],
    ["without merges", model({ merges: undefined })],
    ["with a far added token", { ...file, added_tokens: [{ id: 9e6, content: "x" }] }],
    [
      "without an end",
      { ...file, added_tokens: [], model: { ...file.model, vocab: withoutEnd() } },
    ],
    ["with an unknown normalizer", { ...file, normalizer: { type: "Rot13" } }],
    ["with a broken pattern", { ...file, pre_tokenizer: brokenSplit() }],
    ["of another kind", model({ type: "Unigram" })],
    ["without some bytes", model({ vocab: { a: 0 } })],
  ];
  test.each(cases)("%s is refused with a name", (_, broken) => {
    try {
      loadTokenizer(broken);
    } catch (error) {
      expect(isError(error), String(error)).toBe(true);
      expect((error as { code: string }).code).toMatch(/^text\/tokenizer-(json|kind)$/);
      return;
    }
    expect.unreachable();
  });
  test("an id that no token has is refused", () => {
    expect(() => tokenizer.decode([600])).toThrow(/no token has this id/);
    expect(() => tokenizer.tokenBytes(-1)).toThrow(/no token has this id/);
  });
});

function withoutEnd(): Record<string, number> {
  return Object.fromEntries(Object.entries(file.model.vocab).filter(([, id]) => id !== 0));
}

function brokenSplit(): object {
  const split = { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" };
  return { type: "Sequence", pretokenizers: [split, { type: "ByteLevel", use_regex: false }] };
}

const gpt2 = "../shared/data/tokenizers/gpt2";
if (!existsSync(gpt2)) console.log(`skipped: GPT-2's own encodings (no ${gpt2})`);
test.skipIf(!existsSync(gpt2))("GPT-2's tokenizer encodes its 47 test strings", () => {
  const loaded = loadTokenizer(readFileSync(`${gpt2}/tokenizer.json`, "utf8"));
  expect(loaded.d_vocab).toBe(50257);
  expect(loaded.eot).toBe(50256);
  const strings = readFileSync(`${gpt2}/encodings.inp`, "utf8").split("\n__ggml_vocab_test__\n");
  const wanted = readFileSync(`${gpt2}/encodings.out`, "utf8").split("\n");
  expect(strings.length).toBeGreaterThanOrEqual(46);
  strings.forEach((text, i) => {
    if (wanted[i] === undefined) return;
    const ids = wanted[i].trim().split(/\s+/).filter(Boolean).map(Number);
    expect([...loaded.encode(text)], JSON.stringify(text)).toEqual(ids);
  });
});
