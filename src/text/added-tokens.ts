// Where do a tokenizer's added tokens stand in a text? The leftmost first, the longest of those.
import type { Step } from "./normalizers.ts";
import { refuse } from "./refuse.ts";
import { type Spans, sliceSpans, spansOf } from "./spans.ts";

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** A mark such as `<s>` and not text. */
  readonly special: boolean;
  /** Found in the text after its normalizer. */
  readonly normalized: boolean;
  /** Takes the white space before or after it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Not within a word. */
  readonly single_word: boolean;
}

/** A stretch of text, or the added token that it is. */
export interface Part {
  readonly spans: Spans;
  readonly id?: number;
}

export type Finder = (spans: Spans) => Part[];

/** Refuses ids that are none, or far beyond a vocabulary of `size`, with `text/tokenizer-json`. */
export function readAddedTokens(json: unknown, size: number): AddedToken[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json)) return refuse("added_tokens", typeof json, "a list");
  const limit = size + json.length + 65_536;
  return json.map((token: Partial<AddedToken> | null) => {
    const { id, content, special = false } = token ?? {};
    if (typeof content !== "string" || content === "")
      return refuse("an added token", token, "an object with content and id");
    if (!Number.isInteger(id) || id! < 0 || id! >= limit)
      return refuse("the id of an added token", id, `below ${limit}`);
    return {
      id: id!,
      content,
      special: special === true,
      normalized: (token!.normalized ?? !special) === true,
      lstrip: token!.lstrip === true,
      rstrip: token!.rstrip === true,
      single_word: token!.single_word === true,
    };
  });
}

/** Two passes: over the text as it is, and over what the normalizer makes of the rest. */
export function addedTokenFinders(
  tokens: readonly AddedToken[],
  normalize: Step,
): { plain: Finder; normalized: Finder } {
  return {
    plain: finder(tokens.filter((token) => !token.normalized)),
    normalized: finder(
      tokens
        .filter((token) => token.normalized)
        .map((token) => ({ ...token, content: normalize(spansOf(token.content)).text }))
        .filter(({ content }) => content !== ""),
    ),
  };
}

const wordBefore = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAfter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function finder(tokens: readonly AddedToken[]): Finder {
  if (tokens.length === 0) return (spans) => (spans.text === "" ? [] : [{ spans }]);
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const pattern = new RegExp(
    [...byContent.keys()]
      .sort((a, b) => b.length - a.length)
      .map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"))
      .join("|"),
    "gu",
  );
  return (spans) => {
    const { text } = spans;
    const parts: Part[] = [];
    let at = 0;
    for (const match of text.matchAll(pattern)) {
      const { id, lstrip, rstrip, single_word } = byContent.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (start < at) continue; // within white space that the one before took
      if (single_word && (wordBefore.test(text.slice(0, start)) || wordAfter.test(text.slice(end))))
        continue;
      if (lstrip) start = at + text.slice(at, start).replace(/\p{White_Space}+$/u, "").length;
      if (rstrip) end = text.length - text.slice(end).replace(/^\p{White_Space}+/u, "").length;
      if (start > at) parts.push({ spans: sliceSpans(spans, at, start) });
      parts.push({ spans: sliceSpans(spans, start, end), id });
      at = end;
    }
    if (at < text.length) parts.push({ spans: sliceSpans(spans, at, text.length) });
    return parts;
  };
}
