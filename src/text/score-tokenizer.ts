// BPE whose merges are told by scores: SentencePiece's own files, llama2.c's and GGUF's vocabularies.
import { check } from "../base/errors.ts";
import { type AddedToken, addedTokenFinders } from "./added-tokens.ts";
import { assemble } from "./assemble.ts";
import { sha256 } from "./hash.ts";
import { prepend, replaceMatches } from "./spans.ts";
import type { SpecialPolicy } from "./specials.ts";
import { byteName } from "./tokenizer-tables.ts";
import type { Tokenizer } from "./tokenizer-types.ts";
import { bpeModel } from "./word-models.ts";

export interface ScoreVocabulary {
  /** By id, with "▁" or a plain space for a space; bytes as `<0x0A>`. */
  entries: readonly string[];
  /** Of two neighbours the pair whose union has the highest score merges first, the left at a tie. */
  scores: ArrayLike<number>;
  /** Default 0. */
  unk?: number;
  /** Default 1 and 2; `null`: there is none. */
  bos?: number | null;
  eos?: number | null;
  /** A space before the text, as SentencePiece's `add_dummy_prefix`. Default true. */
  addPrefix?: boolean;
  /** What `special` puts around a text. Default: the beginning, not the end. */
  addBos?: boolean;
  addEos?: boolean;
  /**
   * Entries that are found whole in a text and never merged: marks that chat templates write, symbols
   * of a user. Default none: control tokens are never found in a text, as in SentencePiece.
   */
  whole?: readonly WholeEntry[];
}

export interface WholeEntry {
  readonly id: number;
  /** A mark and not text. */
  readonly special: boolean;
  /** Takes the white space after it. */
  readonly rstrip: boolean;
}

/** Refuses with `text/vocabulary`. */
export function scoreTokenizer({
  entries,
  scores,
  unk = 0,
  bos = 1,
  eos = 2,
  addPrefix = true,
  addBos = true,
  addEos = false,
  whole = [],
}: ScoreVocabulary): Tokenizer {
  const d_vocab = entries.length;
  check(scores.length === d_vocab, "text/vocabulary", "scores and entries differ in number", {
    got: scores.length,
    wanted: d_vocab,
  });
  const marks = [...new Set([unk, bos, eos])].filter((id): id is number => id !== null);
  for (const id of [...marks, ...whole.map(({ id }) => id)])
    check(id >= 0 && id < d_vocab, "text/vocabulary", "a control token is not in the vocabulary", {
      got: id,
      wanted: `0 to ${d_vocab - 1}`,
    });
  const found = new Map(whole.map((entry) => [entry.id, entry]));
  const isMark = new Set([...marks, ...found.keys()]);
  const ids = new Map<string, number>();
  entries.forEach((entry, id) => {
    if (!isMark.has(id) && !ids.has(entry)) ids.set(entry, id);
  });
  const byteEntries = Array.from({ length: 256 }, (_, byte) => ids.get(byteName(byte)));
  const bytes = byteEntries.includes(undefined)
    ? undefined
    : Int32Array.from(byteEntries as number[]);
  const byteIds = new Set(bytes);
  const text = new Map([...ids].filter(([entry, id]) => entry !== "" && !byteIds.has(id)));
  // Which of the two ways a space is written: a vocabulary has one of them.
  const space =
    text.has("\u2581") || [...text.keys()].some((entry) => entry.startsWith("\u2581"))
      ? "\u2581"
      : " ";
  const model = bpeModel(
    { ids: text, unk, bytes, fuseUnk: true },
    { ...mergesOf(text, scores, d_vocab), d_vocab },
  );
  const added: AddedToken[] = [...isMark].map((id) => {
    const { special = true, rstrip = false } = found.get(id) ?? {};
    // llama2.c writes its marks with line ends around them.
    const content = (found.has(id) ? entries[id]! : entries[id]!.trim()) || `<${id}>`;
    return { id, content, special, normalized: false, lstrip: false, rstrip, single_word: false };
  });
  const { plain: parts } = addedTokenFinders(
    added.filter(({ id }) => found.has(id)),
    (text) => text,
  );
  const named = [...entries];
  for (const { id, content } of added) named[id] = content;
  const policy: SpecialPolicy = {
    before: addBos && bos !== null ? [bos] : [],
    after: addEos && eos !== null ? [eos] : [],
    source: "config",
  };
  return assemble({
    kind: "bpe",
    lossless: bytes !== undefined && !whole.some(({ rstrip }) => rstrip),
    hash: sha256(
      JSON.stringify([
        entries,
        Array.from(scores),
        unk,
        bos,
        eos,
        addPrefix,
        ...(whole.length > 0 ? [whole] : []),
      ]),
    ),
    entries: named,
    added,
    decoder: {
      bytes: (entry) =>
        /^<0x[0-9A-F]{2}>$/.test(entry)
          ? Uint8Array.of(Number.parseInt(entry.slice(3, 5), 16))
          : new TextEncoder().encode(entry.replaceAll(space, " ")),
      leading: addPrefix ? 1 : 0,
      trailing: false,
    },
    policy,
    ends: [named[eos ?? bos ?? unk]!],
    // Every stretch between marks begins as a text does: so do llama.cpp and transformers' Llama.
    walk(source, emit) {
      for (const { spans, id } of parts(source)) {
        if (id !== undefined) emit(id, spans.from[0]!, spans.to.at(-1)!);
        else {
          const spaced = space === " " ? spans : replaceMatches(spans, / /g, space);
          model(addPrefix ? prepend(spaced, space) : spaced, emit);
        }
      }
    },
  });
}

/** Every way to put an entry together from two others, ranked by its score; equal scores are equal. */
function mergesOf(text: ReadonlyMap<string, number>, scores: ArrayLike<number>, d_vocab: number) {
  const sorted = [...new Set([...text.values()].map((id) => scores[id]!))].sort((a, b) => b - a);
  const rankOf = new Map(sorted.map((score, rank) => [score, rank]));
  const rank = new Map<number, number>();
  const pairs = new Map<number, number>();
  for (const [entry, id] of text)
    for (let at = 1; at < entry.length; at++) {
      const left = text.get(entry.slice(0, at));
      const right = text.get(entry.slice(at));
      if (left === undefined || right === undefined) continue;
      rank.set(left * d_vocab + right, rankOf.get(scores[id]!)!);
      pairs.set(left * d_vocab + right, id);
    }
  return { rank, pairs, merged: new Int32Array(0) };
}
