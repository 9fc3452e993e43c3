// Which tokens make up one word? BPE, WordPiece, Unigram and whole words, each with its sources.
import { mergeWord } from "./merge.ts";
import { refuse } from "./refuse.ts";
import type { Spans } from "./spans.ts";

/** One token, and the bytes [from, to) of the given text that it comes from. */
export type Emit = (id: number, from: number, to: number) => void;
export type WordModel = (word: Spans, emit: Emit) => void;

export interface Vocabulary {
  /** Entry → id. */
  readonly ids: ReadonlyMap<string, number>;
  readonly unk: number | undefined;
  /** Id of `<0x00>` to `<0xFF>`, where all of them are there. */
  readonly bytes: Int32Array | undefined;
  /** Neighbouring unknowns are one token. */
  readonly fuseUnk: boolean;
}

export interface BpeRules {
  /** Pair key → rank; lower first. Keys are left * d_vocab + right. */
  readonly rank: ReadonlyMap<number, number>;
  readonly merged: Int32Array;
  /** Where pairs of one rank make different tokens: pair key → token. */
  readonly pairs?: ReadonlyMap<number, number>;
  readonly d_vocab: number;
  readonly ignoreMerges?: boolean;
  /** "##": before every symbol but a word's first. */
  readonly prefix?: string;
  /** "</w>": after a word's last symbol. */
  readonly suffix?: string;
}

/** Byte-pair encoding over characters; an unknown one becomes its bytes, or the unknown token. */
export function bpeModel(vocabulary: Vocabulary, rules: BpeRules): WordModel {
  const { ids, unk, bytes, fuseUnk } = vocabulary;
  const { prefix = "", suffix = "", ignoreMerges = false, d_vocab } = rules;
  const symbolsOf = countSymbols(ids, d_vocab, prefix, suffix);
  const utf8 = new TextEncoder();
  return (word, emit) => {
    const { text, from, to } = word;
    if (text === "") return;
    const whole = ignoreMerges ? ids.get(text) : undefined;
    if (whole !== undefined) {
      emit(whole, from[0]!, to[text.length - 1]!);
      return;
    }
    const room = bytes === undefined ? text.length : 4 * text.length;
    const symbols = new Int32Array(room);
    const starts = new Int32Array(room);
    const ends = new Int32Array(room);
    const atom = new Uint8Array(room); // never merged: a byte or an unknown
    let n = 0;
    const push = (id: number, start: number, end: number, isAtom: number): void => {
      symbols[n] = id;
      starts[n] = start;
      ends[n] = end;
      atom[n++] = isAtom;
    };
    for (let i = 0; i < text.length; ) {
      const point = text.codePointAt(i)!;
      const units = point > 0xffff ? 2 : 1;
      const letter = text.slice(i, i + units);
      const last = i + units === text.length;
      const id = ids.get(`${i > 0 ? prefix : ""}${letter}${last ? suffix : ""}`);
      const [start, end] = [from[i]!, to[i]!];
      if (id !== undefined) push(id, start, end, 0);
      else if (bytes !== undefined)
        utf8.encode(letter).forEach((byte, k) => {
          const own = word.own[i] === 1;
          push(bytes[byte]!, own ? start + k : start, own ? start + k + 1 : end, 1);
        });
      else if (unk !== undefined) {
        if (fuseUnk && n > 0 && atom[n - 1] === 2) ends[n - 1] = end;
        else push(unk, start, end, 2);
      }
      i += units;
    }
    const merged = symbols.slice(0, n);
    const length = mergeWord(rules, merged, n);
    let at = 0;
    for (let i = 0; i < length; i++) {
      const id = merged[i]!;
      const next = at + (atom[at]! > 0 ? 1 : symbolsOf[id]!);
      emit(id, starts[at]!, ends[next - 1]!);
      at = next;
    }
  };
}

function countSymbols(
  ids: ReadonlyMap<string, number>,
  d_vocab: number,
  prefix: string,
  suffix: string,
): Int32Array {
  const counts = new Int32Array(d_vocab).fill(1);
  for (const [entry, id] of ids) {
    const start = prefix !== "" && entry.startsWith(prefix) ? prefix.length : 0;
    const end = entry.length - (suffix !== "" && entry.endsWith(suffix) ? suffix.length : 0);
    let count = 0;
    for (const _ of entry.slice(start, end)) count += 1;
    counts[id] = Math.max(1, count);
  }
  return counts;
}

/** The longest entry first, again and again; a word that does not come out is unknown. */
export function wordPieceModel(
  { ids, unk }: Vocabulary,
  { prefix, maxLength }: { prefix: string; maxLength: number },
): WordModel {
  let longest = 0;
  for (const entry of ids.keys()) longest = Math.max(longest, entry.length);
  return ({ text, from, to }, emit) => {
    if (text === "") return;
    const found: [number, number, number][] = [];
    let at = 0;
    if ([...text].length <= maxLength)
      while (at < text.length) {
        let end = Math.min(text.length, at + longest);
        let id: number | undefined;
        for (; end > at; end--) {
          if (splitsPair(text, end)) continue;
          id = ids.get(at > 0 ? prefix + text.slice(at, end) : text.slice(at, end));
          if (id !== undefined) break;
        }
        if (id === undefined) break;
        found.push([id, from[at]!, to[end - 1]!]);
        at = end;
      }
    if (at === text.length) for (const [id, start, end] of found) emit(id, start, end);
    else if (unk !== undefined) emit(unk, from[0]!, to[text.length - 1]!);
    else refuse("a word is unknown and there is no unknown token", text, "unk_token");
  };
}

function splitsPair(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit < 0xe000;
}

/** The most probable segmentation (Kudo 2018): forward best path, earlier start at a tie. */
export function unigramModel(vocabulary: Vocabulary, scores: Float64Array): WordModel {
  const { ids, unk, bytes } = vocabulary;
  const unkScore = scores.reduce((low, score) => Math.min(low, score), 0) - 10;
  let longest = 1;
  for (const entry of ids.keys()) longest = Math.max(longest, entry.length);
  const utf8 = new TextEncoder();
  const beginnings = new Set<string>();
  for (const entry of ids.keys())
    for (let i = 1; i <= entry.length; i++) beginnings.add(entry.slice(0, i));

  return (word, emit) => {
    const { text, from, to } = word;
    const n = text.length;
    const best = new Float64Array(n + 1).fill(Number.NEGATIVE_INFINITY);
    const back = new Int32Array(n + 1).fill(-1);
    const tokens = new Int32Array(n + 1);
    best[0] = 0;
    const offer = (start: number, end: number, id: number, score: number): void => {
      const total = best[start]! + score;
      if (back[end]! >= 0 && total <= best[end]!) return;
      best[end] = total;
      back[end] = start;
      tokens[end] = id;
    };
    for (let i = 0; i < n; ) {
      const units = text.codePointAt(i)! > 0xffff ? 2 : 1;
      let single = false;
      for (let end = i + 1; end <= Math.min(n, i + longest); end++) {
        const part = text.slice(i, end);
        if (!beginnings.has(part)) break;
        const id = ids.get(part);
        if (id === undefined) continue;
        offer(i, end, id, scores[id]!);
        if (end === i + units) single = true;
      }
      if (!single) offer(i, i + units, -1, unkScore);
      i += units;
    }
    const path: { start: number; end: number; id: number }[] = [];
    for (let end = n; end > 0; end = back[end]!) {
      const id = tokens[end]!;
      const last = path.at(-1);
      // Neighbouring unknowns are one.
      if (id < 0 && last !== undefined && last.id < 0) last.start = back[end]!;
      else path.push({ start: back[end]!, end, id });
    }
    for (const { start, end, id } of path.reverse()) {
      if (id >= 0) emit(id, from[start]!, to[end - 1]!);
      else if (bytes !== undefined)
        for (let i = start; i < end; ) {
          const point = text.codePointAt(i)!;
          const [a, b] = [from[i]!, to[i]!];
          const own = word.own[i] === 1;
          utf8.encode(String.fromCodePoint(point)).forEach((byte, k) => {
            emit(bytes[byte]!, own ? a + k : a, own ? a + k + 1 : b);
          });
          i += point > 0xffff ? 2 : 1;
        }
      else if (unk !== undefined) emit(unk, from[start]!, to[end - 1]!);
      else refuse("a character is unknown and there is no unknown token", text, "unk_id");
    }
  };
}

export function wholeWordModel({ ids, unk }: Vocabulary): WordModel {
  return ({ text, from, to }, emit) => {
    if (text === "") return;
    const id = ids.get(text) ?? unk;
    if (id !== undefined) emit(id, from[0]!, to[text.length - 1]!);
  };
}
