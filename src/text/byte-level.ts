// Byte-level BPE on its fast path: the tokens' bytes are the text's bytes, in order.
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { check, fail } from "../base/errors.ts";
import { bytesEntry, letterBytes } from "./byte-letters.ts";
import { sha256 } from "./hash.ts";
import { mergeWord } from "./merge.ts";
import { normalizeNfc, wellFormed } from "./normalize.ts";
import { tokenPiece } from "./piece.ts";
import { eachWord } from "./pretokenize.ts";
import { readPolicy, type SpecialPolicy, type TokenizerConfig } from "./specials.ts";
import { readTokenizerFile, type TokenizerTables } from "./tokenizer-file.ts";
import type { Tokenizer } from "./tokenizer-types.ts";

/** Words remembered in each of two generations. */
const memoSize = 1 << 16;
const memoLength = 64;

export function readByteLevel(
  json: Record<string, unknown>,
  { config, ends }: { config?: TokenizerConfig; ends: readonly string[] },
): Tokenizer {
  const tables = readTokenizerFile(json);
  const end = ends.map((name) => idOf(tables, name)).find((id) => id !== undefined);
  check(end !== undefined, "text/tokenizer-json", "the vocabulary has no end-of-text token", {
    where: "tokenizer.json",
    wanted: ends,
    hint: "name it with the option eot",
  });
  const marks = new Map(tables.added.map(({ id, content }) => [id, content]));
  const encode = encoder(tables, tables.cut === "other" ? librarySplit(json) : undefined);
  const policy = readPolicy(json.post_processor, (name) => idOf(tables, name), config);
  const tokenBytes = (id: number): Uint8Array =>
    tables.bytes[id] ??
    fail("text/token-id", "no token has this id", {
      got: id,
      wanted: `0 to ${tables.bytes.length - 1}`,
    });

  return {
    kind: "byte-level",
    lossless: tables.normalizer === "none",
    d_vocab: tables.bytes.length,
    eot: end,
    hash: sha256(
      JSON.stringify([json.model, json.added_tokens, json.normalizer ?? null, json.pre_tokenizer]),
    ),
    policy,
    idOf: (name) => idOf(tables, name),
    encode: (text, { special = false } = {}) =>
      around(encode(normalized(tables, text).text), special ? policy : undefined),
    encodeWithOffsets(text, { special = false } = {}) {
      const { text: used, start, end: stop } = normalized(tables, text);
      const ids = encode(used);
      const { chars, bytes } = offsets(used, ids, tokenBytes);
      if (start !== undefined && stop !== undefined)
        for (let i = 0; i < chars.length; i += 2) {
          chars[i] = start[chars[i]!]!;
          chars[i + 1] = stop[chars[i + 1]!]!;
        }
      if (!special) return { ids, chars, bytes };
      const empty = (list: readonly number[], at: number): number[] =>
        new Array<number>(2 * list.length).fill(at);
      const outside = (ranges: Int32Array, length: number): Int32Array =>
        Int32Array.of(...empty(policy.before, 0), ...ranges, ...empty(policy.after, length));
      return {
        ids: around(ids, policy),
        chars: outside(chars, text.length),
        bytes: outside(bytes, bytes.at(-1) ?? 0),
      };
    },
    decode: (ids, { special = true } = {}) =>
      decodeBytes(special ? ids : Array.from(ids).filter((id) => !marks.has(id)), tokenBytes),
    pieces: (ids) => Array.from(ids, (id) => tokenPiece(tokenBytes(id), marks.get(id))),
    tokenBytes: (id) => tokenBytes(id).slice(),
  };
}

function around(ids: Int32Array, policy: SpecialPolicy | undefined): Int32Array {
  if (policy === undefined || policy.before.length + policy.after.length === 0) return ids;
  const out = new Int32Array(policy.before.length + ids.length + policy.after.length);
  out.set(policy.before);
  out.set(ids, policy.before.length);
  out.set(policy.after, policy.before.length + ids.length);
  return out;
}

function idOf({ added, vocab }: TokenizerTables, name: string): number | undefined {
  return added.find(({ content }) => content === name)?.id ?? vocab.get(name);
}

function normalized({ normalizer }: TokenizerTables, text: string) {
  const whole = wellFormed(text);
  return normalizer === "NFC" ? normalizeNfc(whole) : { text: whole };
}

/** The library's pre-tokenizer, for patterns other than GPT-2's: a text → words in byte letters. */
function librarySplit(json: Record<string, unknown>): (text: string) => string[] {
  try {
    const { pre_tokenizer } = new LibraryTokenizer(json, {}) as unknown as {
      pre_tokenizer: (text: string) => string[];
    };
    return (text) => pre_tokenizer(text);
  } catch (cause) {
    return fail("text/tokenizer-json", "the pre-tokenizer of this tokenizer.json cannot be used", {
      where: "tokenizer.json",
      cause,
    });
  }
}

/** The encoding function, with its memo of words. `split` cuts into words of byte letters. */
function encoder(tables: TokenizerTables, split?: (text: string) => string[]) {
  const { merges, byteId, vocab, ignoreMerges } = tables;
  // Two generations: when the young one is full it becomes the old one, so that frequent words stay.
  let memo = new Map<string, Int32Array>();
  let older = new Map<string, Int32Array>();
  const utf8 = new TextEncoder();
  let scratch = new Int32Array(1024);
  let out = new Int32Array(1024);
  let n = 0;

  const merge = (bytes: Uint8Array): Int32Array => {
    if (ignoreMerges) {
      const whole = vocab.get(bytesEntry(bytes));
      if (whole !== undefined) return Int32Array.of(whole);
    }
    if (scratch.length < bytes.length) scratch = new Int32Array(2 * bytes.length);
    for (let i = 0; i < bytes.length; i++) scratch[i] = byteId[bytes[i]!]!;
    return scratch.slice(0, mergeWord(merges, scratch, bytes.length));
  };
  const append = (word: string, bytesOf: (word: string) => Uint8Array): void => {
    let ids = memo.get(word);
    if (ids === undefined) {
      ids = older.get(word) ?? merge(bytesOf(word));
      if (word.length <= memoLength) {
        if (memo.size >= memoSize) [older, memo] = [memo, new Map()];
        memo.set(copy(word), ids);
      }
    }
    if (n + ids.length > out.length) {
      const larger = new Int32Array(2 * (n + ids.length));
      larger.set(out.subarray(0, n));
      out = larger;
    }
    if (ids.length === 1) out[n] = ids[0]!;
    else out.set(ids, n);
    n += ids.length;
  };
  const raw = (word: string): Uint8Array => utf8.encode(word);
  const letters = (word: string): Uint8Array =>
    Uint8Array.from(word, (letter) => letterBytes.get(letter)!);

  const cut = cutter(tables);
  return (text: string): Int32Array => {
    n = 0;
    cut(
      text,
      (start, end) => {
        if (split === undefined)
          eachWord(start === 0 && end === text.length ? text : text.slice(start, end), (from, to) =>
            append(text.slice(start + from, start + to), raw),
          );
        else for (const word of split(text.slice(start, end))) append(word, letters);
      },
      (id) => {
        if (n + 1 > out.length) {
          const larger = new Int32Array(2 * out.length);
          larger.set(out);
          out = larger;
        }
        out[n++] = id;
      },
    );
    return out.slice(0, n);
  };
}

/** A slice of 13 units or more keeps the whole text alive; as a key it must not. */
function copy(word: string): string {
  return word.length < 13 ? word : [...word].join("");
}

/** Finds added tokens, the leftmost first and the longest of those. */
function cutter({ added }: TokenizerTables) {
  const byLength = [...added].sort((a, b) => b.content.length - a.content.length);
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const pattern = new RegExp(
    byLength.map(({ content }) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"),
    "g",
  );
  return (
    text: string,
    visitText: (start: number, end: number) => void,
    visitToken: (id: number) => void,
  ): void => {
    let at = 0;
    if (byLength.length > 0)
      for (const match of text.matchAll(pattern)) {
        if (match.index > at) visitText(at, match.index);
        visitToken(ids.get(match[0])!);
        at = match.index + match[0].length;
      }
    if (at < text.length) visitText(at, text.length);
  };
}

/** Walks tokens and characters side by side; the tokens' bytes are the text's bytes, in order. */
function offsets(text: string, ids: Int32Array, tokenBytes: (id: number) => Uint8Array) {
  const chars = new Int32Array(2 * ids.length);
  const bytes = new Int32Array(2 * ids.length);
  let unit = 0; // of the current character
  let units = 0;
  let byte = 0; // its last byte + 1
  let from = 0;
  const reach = (target: number): void => {
    while (byte < target) {
      unit += units;
      const point = text.codePointAt(unit)!;
      units = point > 0xffff ? 2 : 1;
      byte += point < 0x80 ? 1 : point < 0x800 ? 2 : point > 0xffff ? 4 : 3;
    }
  };
  for (let i = 0; i < ids.length; i++) {
    const to = from + tokenBytes(ids[i]!).length;
    bytes[2 * i] = from;
    bytes[2 * i + 1] = to;
    reach(from + 1);
    chars[2 * i] = unit;
    reach(to);
    chars[2 * i + 1] = unit + units;
    from = to;
  }
  return { chars, bytes };
}

function decodeBytes(ids: ArrayLike<number>, tokenBytes: (id: number) => Uint8Array): string {
  let length = 0;
  for (let i = 0; i < ids.length; i++) length += tokenBytes(ids[i]!).length;
  const all = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const bytes = tokenBytes(ids[i]!);
    all.set(bytes, at);
    at += bytes.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(all);
}
