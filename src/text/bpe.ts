// Which byte pairs does a corpus merge? Trains a byte-level vocabulary and writes tokenizer.json.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { letterBytes, letterOrder } from "./byte-letters.ts";
import { eachWord } from "./pretokenize.ts";

export interface BpeOptions {
  /** Size of the whole vocabulary: the end-of-text token, 256 bytes, and the merges. */
  d_vocab: number;
  /** Longest token in bytes, so that no long verbatim string becomes a token. */
  maxTokenLength?: number;
  /** Pairs rarer than this are never merged. */
  minCount?: number;
}

export const endOfText = "<|endoftext|>";

/** A Hugging Face `tokenizer.json`: byte-level BPE, `<|endoftext|>` is id 0. */
export interface TokenizerFile {
  version: "1.0";
  truncation: null;
  padding: null;
  added_tokens: Record<string, unknown>[];
  normalizer: null;
  pre_tokenizer: Record<string, unknown>;
  post_processor: null;
  decoder: Record<string, unknown>;
  model: { type: "BPE"; vocab: Record<string, number>; merges: string[]; [key: string]: unknown };
}

/** Adds the pieces of a text to a count. */
export function countWords(counts: Map<string, number>, text: string): void {
  eachWord(text, (start, end) => {
    const word = text.slice(start, end);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  });
}

/**
 * Trains on word counts (`countWords`). The commonest pair merges first; ties go to the lowest
 * (left, right) ids, so the result does not depend on the order of the texts.
 * Returns fewer than `d_vocab` entries when no pair is left with `minCount` occurrences.
 */
export function trainBpe(
  counts: ReadonlyMap<string, number>,
  { d_vocab, maxTokenLength = 24, minCount = 2 }: BpeOptions,
  context: Context = {},
): TokenizerFile {
  check(
    d_vocab >= 257 && d_vocab <= 65536,
    "text/d-vocab",
    "a byte vocabulary has this many entries",
    {
      got: d_vocab,
      wanted: "257 to 65,536",
    },
  );
  check(counts.size > 0, "text/empty", "there is no text to train on");
  const tokens = [endOfText, ...letterOrder];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const corpus = layOut(counts);
  const pairs = countPairs(corpus);
  const longEnough = (a: number, b: number): boolean =>
    tokens[a]!.length + tokens[b]!.length <= maxTokenLength;
  const merges: string[] = [];
  const heap: Candidate[] = [];
  for (const pair of pairs.values()) if (longEnough(pair.left, pair.right)) push(heap, offer(pair));

  const touched = new Set<Pair>();
  while (tokens.length < d_vocab) {
    const top = pop(heap);
    if (top === undefined) break;
    const { pair } = top;
    if (pair.count !== top.count) {
      if (pair.count > 0) push(heap, offer(pair));
      continue;
    }
    if (pair.count < minCount) break;
    const token = tokens[pair.left]! + tokens[pair.right]!;
    merges.push(`${tokens[pair.left]!} ${tokens[pair.right]!}`);
    let id = idOf.get(token); // two pairs can spell the same token
    if (id === undefined) {
      id = tokens.length;
      tokens.push(token);
      idOf.set(token, id);
    }
    touched.clear();
    mergePair(corpus, pairs, pair, id, touched);
    for (const changed of touched)
      if (changed.count > 0 && longEnough(changed.left, changed.right)) push(heap, offer(changed));
    if (merges.length % 64 === 0) {
      throwIfStopped(context);
      const done = tokens.length;
      context.onProgress?.({ stage: "tokenizer", done, total: d_vocab, unit: "tokens" });
    }
  }
  return tokenizerFile(tokens, merges);
}

interface Corpus {
  /** All words, one after the other. */
  symbols: Int32Array;
  start: Int32Array; // [words + 1]
  length: Int32Array; // [words], shrinks as merges happen
  count: Float64Array; // [words]
  /** The last merge that looked at a word, by number. */
  stamp: Int32Array; // [words]
  merges: number;
}

interface Pair {
  left: number;
  right: number;
  count: number;
  /** Words that held the pair when it was counted: may be out of date, may repeat. */
  words: number[];
}

interface Candidate {
  pair: Pair;
  /** The pair's count when it was offered. */
  count: number;
}

const offer = (pair: Pair): Candidate => ({ pair, count: pair.count });

function layOut(counts: ReadonlyMap<string, number>): Corpus {
  const byteId = new Int32Array(256);
  letterOrder.forEach((letter, i) => {
    byteId[letterBytes.get(letter)!] = i + 1;
  });
  const encoder = new TextEncoder();
  const words = [...counts.keys()].map((word) => encoder.encode(word));
  const start = new Int32Array(words.length + 1);
  for (let w = 0; w < words.length; w++) start[w + 1] = start[w]! + words[w]!.length;
  const symbols = new Int32Array(start[words.length]!);
  words.forEach((bytes, w) => {
    for (let i = 0; i < bytes.length; i++) symbols[start[w]! + i] = byteId[bytes[i]!]!;
  });
  return {
    symbols,
    start,
    length: Int32Array.from(words, (bytes) => bytes.length),
    count: Float64Array.from(counts.values()),
    stamp: new Int32Array(words.length),
    merges: 0,
  };
}

const keyOf = (left: number, right: number): number => left * 65536 + right;

function change(pairs: Map<number, Pair>, left: number, right: number, by: number, word: number) {
  const key = keyOf(left, right);
  let pair = pairs.get(key);
  if (pair === undefined) {
    pair = { left, right, count: 0, words: [] };
    pairs.set(key, pair);
  }
  pair.count += by;
  if (by > 0 && pair.words.at(-1) !== word) pair.words.push(word);
  return pair;
}

function countPairs({ symbols, start, length, count }: Corpus): Map<number, Pair> {
  const pairs = new Map<number, Pair>();
  for (let w = 0; w < length.length; w++) {
    const end = start[w]! + length[w]! - 1;
    for (let i = start[w]!; i < end; i++) change(pairs, symbols[i]!, symbols[i + 1]!, count[w]!, w);
  }
  return pairs;
}

/** Replaces the pair by `id` in every word, and keeps all pair counts exact. */
function mergePair(
  corpus: Corpus,
  pairs: Map<number, Pair>,
  pair: Pair,
  id: number,
  grown: Set<Pair>,
): void {
  const { symbols, start, length, count, stamp } = corpus;
  const { left, right, words } = pair;
  pair.words = [];
  const now = ++corpus.merges;
  for (const w of words) {
    if (stamp[w] === now) continue;
    stamp[w] = now;
    const from = start[w]!;
    const end = from + length[w]!;
    const times = count[w]!;
    let to = from;
    for (let i = from; i < end; i++) {
      if (symbols[i] !== left || i + 1 >= end || symbols[i + 1] !== right) {
        symbols[to++] = symbols[i]!;
        continue;
      }
      change(pairs, left, right, -times, w);
      if (to > from) {
        const before = symbols[to - 1]!; // already rewritten: may be `id` itself
        change(pairs, before, left, -times, w);
        grown.add(change(pairs, before, id, times, w));
      }
      if (i + 2 < end) {
        const after = symbols[i + 2]!;
        change(pairs, right, after, -times, w);
        grown.add(change(pairs, id, after, times, w));
      }
      symbols[to++] = id;
      i += 1;
    }
    length[w] = to - from;
  }
}

/** Higher count first, then lower ids. */
function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.left !== b.pair.left) return a.pair.left < b.pair.left;
  return a.pair.right < b.pair.right;
}

function push(heap: Candidate[], item: Candidate): void {
  let i = heap.length;
  heap.push(item);
  while (i > 0) {
    const up = (i - 1) >> 1;
    if (!before(item, heap[up]!)) break;
    heap[i] = heap[up]!;
    i = up;
  }
  heap[i] = item;
}

function pop(heap: Candidate[]): Candidate | undefined {
  const top = heap[0];
  const item = heap.pop();
  const n = heap.length;
  if (n === 0 || item === undefined) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, item)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = item;
  return top;
}

function tokenizerFile(tokens: string[], merges: string[]): TokenizerFile {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: 0,
        content: endOfText,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: { ...byteLevel, use_regex: true },
    post_processor: null,
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
