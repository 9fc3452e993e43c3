// What does a tokenizer.json of any kind hold? Vocabulary, word model, added tokens, decoder.

import { type AddedToken, readAddedTokens } from "./added-tokens.ts";
import { byteLetters } from "./byte-letters.ts";
import { type Decoder, readDecoder } from "./decoders.ts";
import { refuse } from "./refuse.ts";
import type { TokenizerKind } from "./tokenizer-types.ts";
import {
  bpeModel,
  unigramModel,
  type Vocabulary,
  type WordModel,
  wholeWordModel,
  wordPieceModel,
} from "./word-models.ts";

export interface Tables {
  readonly kind: TokenizerKind;
  readonly ids: ReadonlyMap<string, number>;
  /** Entry by id, added tokens included; undefined where the ids have a gap. */
  readonly entries: readonly (string | undefined)[];
  readonly added: readonly AddedToken[];
  readonly unk: number | undefined;
  readonly model: WordModel;
  readonly decoder: Decoder;
  readonly bytes: Int32Array | undefined;
}

type Json = Record<string, unknown>;

/** `byteLevel`: words come as letters that stand for bytes. */
export function readTables(json: Json, byteLevel: boolean): Tables {
  const model = json.model as Json;
  if (typeof model !== "object" || model === null) refuse("it has no model", model, "an object");
  const kind = kindOf(model);
  const { ids, scores } = readVocab(kind, model.vocab);
  if (byteLevel && !byteLetters.every((letter) => hasLetter(ids, letter, model)))
    refuse("the vocabulary lacks some single bytes", ids.size, "all 256 letters of bytes");
  let size = 0;
  for (const id of ids.values()) size = Math.max(size, id + 1);
  const added = readAddedTokens(json.added_tokens, size);
  for (const { id } of added) size = Math.max(size, id + 1);
  const entries = new Array<string | undefined>(size).fill(undefined);
  for (const [entry, id] of ids) entries[id] = entry;
  for (const { id, content } of added) entries[id] = content;
  const bytes = model.byte_fallback === true ? byteIds(ids) : undefined;
  const named = kind === "unigram" ? entries[Number(model.unk_id ?? -1)] : model.unk_token;
  const unk = typeof named === "string" ? ids.get(named) : undefined;
  const vocabulary: Vocabulary = { ids, unk, bytes, fuseUnk: model.fuse_unk === true };
  return {
    kind,
    ids,
    entries,
    added,
    unk,
    bytes,
    model: makeModel(kind, model, vocabulary, scores, size),
    decoder: readDecoder(json.decoder, model),
  };
}

function kindOf({ type, merges, vocab }: Json): TokenizerKind {
  if (type === "BPE" || (type === undefined && Array.isArray(merges))) return "bpe";
  if (type === "WordPiece") return "wordpiece";
  if (type === "Unigram" || (type === undefined && Array.isArray(vocab))) return "unigram";
  if (type === "WordLevel") return "words";
  return refuse("its model is of an unknown kind", type, "BPE, WordPiece, Unigram or WordLevel");
}

function hasLetter(ids: ReadonlyMap<string, number>, letter: string, model: Json): boolean {
  return ids.has(letter) || (Boolean(model.unk_token) && ids.has(String(model.unk_token)));
}

function readVocab(kind: TokenizerKind, vocab: unknown) {
  const ids = new Map<string, number>();
  if (kind === "unigram") {
    if (!Array.isArray(vocab) || vocab.length === 0)
      refuse("model.vocab", typeof vocab, "a list of [entry, score]");
    const scores = new Float64Array(vocab.length);
    vocab.forEach((row: unknown, id) => {
      const [entry, score] = Array.isArray(row) ? row : [];
      if (typeof entry !== "string" || typeof score !== "number")
        refuse(`entry ${id} of the vocabulary`, row, "[entry, score]");
      if (!ids.has(entry)) ids.set(entry, id);
      scores[id] = score;
    });
    return { ids, scores };
  }
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab))
    return refuse("model.vocab is missing", typeof vocab, "an object of entry: id");
  const rows = Object.entries(vocab);
  const limit = 2 * rows.length + 1024;
  const seen = new Set<number>();
  for (const [entry, id] of rows) {
    if (!Number.isInteger(id) || id < 0 || id >= limit)
      refuse(`the id of ${JSON.stringify(entry)}`, id, `0 to ${limit - 1}`);
    if (seen.has(id)) refuse("two entries have one id", id, "distinct ids");
    seen.add(id);
    ids.set(entry, id);
  }
  return { ids };
}

function byteIds(ids: ReadonlyMap<string, number>): Int32Array | undefined {
  const found = Array.from({ length: 256 }, (_, byte) => ids.get(byteName(byte)));
  return found.some((id) => id === undefined) ? undefined : Int32Array.from(found as number[]);
}

export function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function makeModel(
  kind: TokenizerKind,
  model: Json,
  vocabulary: Vocabulary,
  scores: Float64Array | undefined,
  d_vocab: number,
): WordModel {
  if (model.dropout !== undefined && model.dropout !== null && model.dropout !== 0)
    refuse("model.dropout leaves the tokens to chance", model.dropout, null);
  const prefix = model.continuing_subword_prefix;
  if (kind === "wordpiece")
    return wordPieceModel(vocabulary, {
      prefix: typeof prefix === "string" ? prefix : "##",
      maxLength: Number(model.max_input_chars_per_word ?? 100),
    });
  if (kind === "unigram") return unigramModel(vocabulary, scores!);
  if (kind === "words") return wholeWordModel(vocabulary);
  const affixes = {
    prefix: typeof prefix === "string" ? prefix : "",
    suffix: typeof model.end_of_word_suffix === "string" ? model.end_of_word_suffix : "",
  };
  return bpeModel(vocabulary, {
    ...affixes,
    ...readMerges(model.merges, vocabulary.ids, affixes.prefix, d_vocab),
    ignoreMerges: model.ignore_merges === true,
    d_vocab,
  });
}

function readMerges(
  merges: unknown,
  ids: ReadonlyMap<string, number>,
  prefix: string,
  d_vocab: number,
) {
  if (!Array.isArray(merges)) return refuse("model.merges is missing", typeof merges, "a list");
  const rank = new Map<number, number>();
  const merged = new Int32Array(merges.length);
  for (const [i, merge] of (merges as unknown[]).entries()) {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (
      !Array.isArray(pair) ||
      pair.length !== 2 ||
      !pair.every((part) => typeof part === "string")
    )
      return refuse(`merge ${i}`, merge, "two entries");
    const [left, right] = pair as [string, string];
    const tail = prefix !== "" && right.startsWith(prefix) ? right.slice(prefix.length) : right;
    const found = [left, right, left + tail].map((entry) => ids.get(entry));
    if (found.includes(undefined))
      refuse(`merge ${i}`, merge, "parts and result in the vocabulary");
    rank.set(found[0]! * d_vocab + found[1]!, i);
    merged[i] = found[2]!;
  }
  return { rank, merged };
}
