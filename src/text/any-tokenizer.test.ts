import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "./tokenizer.ts";

interface Golden {
  tokenizer: { added_tokens: { id: number; special: boolean }[]; model: { type: string } };
  cases: {
    text: string;
    ids: number[];
    offsets: number[];
    special: number[];
    decoded: string;
    skipped: string;
  }[];
}

// Made by scripts/golden/tokenizer_kinds.py with Hugging Face's Rust library.
const golden = JSON.parse(readFileSync("test/golden/text/tokenizers.json", "utf8")) as Record<
  string,
  Golden
>;
const kinds = Object.entries(golden).map(
  ([name, { tokenizer, cases }]) =>
    [name, loadTokenizer(tokenizer, { eot: endOf(name) }), cases] as const,
);

/** Rust leaves CLIP's ends of words; its Python class makes them spaces and strips the last. */
function words(text: string): string {
  return text.replaceAll("</w>", " ").replace(/ $/, (space) => (text.endsWith(space) ? space : ""));
}

function endOf(name: string): string | undefined {
  return name === "unigram" ? "</s>" : undefined;
}

describe.each(kinds)("%s", (name, tokenizer, cases) => {
  test("ids, with and without the tokens around, are the Rust library's", () => {
    for (const { text, ids, special } of cases) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect([...tokenizer.encode(text, { special: true })], text).toEqual(special);
    }
  });

  test("offsets are the Rust library's, but for what is put in and what is drawn together", () => {
    for (const { text, ids, offsets } of cases) {
      const ours = tokenizer.encodeWithOffsets(text);
      expect([...ours.ids], text).toEqual(ids);
      const units = [0]; // the Rust library counts code points, we count UTF-16 units
      for (const point of text) units.push(units.at(-1)! + point.length);
      ids.forEach((id, i) => {
        const [start, end] = ours.chars.subarray(2 * i, 2 * i + 2);
        const wanted = [units[offsets[2 * i]!]!, units[offsets[2 * i + 1]!]!];
        const what = `${name} ${JSON.stringify(text)} token ${i}`;
        // A space that is put before the text has no characters; the library gives it the next one.
        if (start === end && tokenizer.pieces([id])[0]!.text === " ") expect(start).toBe(wanted[0]);
        // Several characters that become one: we say all of them, the library says one.
        else if (/\p{White_Space}{2}|e\u0301/u.test(text.slice(start, end)) && name !== "llama") {
          expect(start, what).toBeLessThanOrEqual(wanted[0]!);
          expect(end, what).toBeGreaterThanOrEqual(wanted[1]!);
        } else expect([start, end], what).toEqual(wanted);
      });
    }
  });

  test("decoding is the Rust library's", () => {
    for (const { ids, special, decoded, skipped } of cases) {
      expect(tokenizer.decode(ids)).toBe(words(decoded));
      expect(tokenizer.decode(special, { special: false })).toBe(words(skipped));
    }
  });
});

const nasty = fc.string({
  unit: fc.oneof(
    fc.constantFrom(..."ab'stre lvdm.19\n\t\r\u0000\u00a0\u2003\u200f\u202e細胞é🙂\u0301ส"),
    fc.constantFrom("\ud83d", "\ude00", "\ufffd", "[MASK]", "moss", "  ", "ﬁ", "İ"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
  maxLength: 40,
});
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

test("which kinds keep every text is told, and true", () => {
  expect(kinds.filter(([, { lossless }]) => lossless).map(([name]) => name)).toEqual([
    "llama",
    "gemma",
    "digits",
  ]);
  fc.assert(
    fc.property(nasty, (given) => {
      const text = wellFormed(given).replaceAll("\u2581", "");
      for (const [, tokenizer] of kinds)
        if (tokenizer.lossless) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test("offsets follow the text: in order, without a gap where nothing is dropped", () => {
  const kept = new Set(["llama", "mistral", "gemma", "neox", "digits"]);
  fc.assert(
    fc.property(nasty, (text) => {
      const utf8 = new TextEncoder().encode(text);
      for (const [name, tokenizer] of kinds) {
        const { ids, chars, bytes } = tokenizer.encodeWithOffsets(text);
        expect([...tokenizer.encode(text)]).toEqual([...ids]);
        let end = 0;
        for (let i = 0; i < ids.length; i++) {
          const [from, to] = bytes.subarray(2 * i, 2 * i + 2);
          const [start, stop] = chars.subarray(2 * i, 2 * i + 2);
          expect(from! <= to! && start! <= stop!, name).toBe(true);
          // Parts of a character that changed all have the whole of it.
          if (kept.has(name))
            expect(from!, `${name} ${JSON.stringify(text)}`).toBeLessThanOrEqual(end);
          else expect(to!).toBeGreaterThanOrEqual(end);
          end = Math.max(end, to!);
          const covered = new TextEncoder().encode(text.slice(start, stop));
          expect(Buffer.from(covered).includes(Buffer.from(utf8.subarray(from, to))), name).toBe(
            true,
          );
        }
        if (kept.has(name)) expect(end, `${name} ${JSON.stringify(text)}`).toBe(utf8.length);
      }
    }),
    { numRuns: 300 },
  );
});

test("a byte of a character shows as hexadecimal and knows its own byte", () => {
  const [, llama] = kinds.find(([name]) => name === "llama")!;
  const { ids, chars, bytes } = llama.encodeWithOffsets("🙂\n");
  expect(llama.pieces(ids).map(({ text, hex }) => hex ?? text)).toEqual([
    " ",
    "F0",
    "9F",
    "99",
    "82",
    "\n",
  ]);
  expect([...bytes]).toEqual([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
  expect([...chars]).toEqual([0, 0, 0, 2, 0, 2, 0, 2, 0, 2, 2, 3]);
});

test("what stands around a text is a record, and the configuration can change it", () => {
  const { tokenizer } = golden.llama!;
  const config = { add_bos_token: false, bos_token: "<s>", eos_token: { content: "</s>" } };
  expect(loadTokenizer(tokenizer).policy).toEqual({ before: [1], after: [], source: "template" });
  const plain = loadTokenizer(tokenizer, { config });
  expect(plain.policy).toEqual({ before: [], after: [], source: "config" });
  expect([...plain.encode("a", { special: true })]).toEqual([...plain.encode("a")]);
  const both = loadTokenizer(tokenizer, {
    config: { ...config, add_bos_token: true, add_eos_token: true },
  });
  expect(both.policy).toEqual({ before: [1], after: [2], source: "config" });
  const { ids, chars } = both.encodeWithOffsets("ab", { special: true });
  expect([ids[0], ids.at(-1)]).toEqual([1, 2]);
  expect([...chars.subarray(0, 2), ...chars.subarray(-2)]).toEqual([0, 0, 2, 2]);
});

describe("what is not understood is refused by name", () => {
  const { tokenizer } = golden.unigram!;
  const bert = golden.bert!.tokenizer;
  test.each<[string, object]>([
    ["a normalizer", { ...tokenizer, normalizer: { type: "Nmt" } }],
    ["a pre-tokenizer", { ...tokenizer, pre_tokenizer: { type: "UnicodeScripts" } }],
    ["a decoder", { ...tokenizer, decoder: { type: "CTC" } }],
    ["a post-processor", { ...tokenizer, post_processor: { type: "Other" } }],
    ["a model", { ...tokenizer, model: { type: "Other", vocab: {} } }],
    ["scores that are none", { ...tokenizer, model: { type: "Unigram", vocab: [["a", "b"]] } }],
    [
      "a broken charsmap",
      { ...tokenizer, normalizer: { type: "Precompiled", precompiled_charsmap: "AAA=" } },
    ],
    ["a far added token", { ...bert, added_tokens: [{ id: 1e7, content: "x" }] }],
    [
      "a pattern",
      { ...tokenizer, normalizer: { type: "Replace", pattern: { Regex: "(" }, content: "" } },
    ],
    [
      "dropout",
      { ...golden.llama!.tokenizer, model: { ...golden.llama!.tokenizer.model, dropout: 0.1 } },
    ],
  ])("%s", (_, json) => {
    expect(() => loadTokenizer(json)).toThrow(
      expect.objectContaining({ code: "text/tokenizer-json" }),
    );
  });
});
