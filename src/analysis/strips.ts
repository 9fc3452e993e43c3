// How is a stretch of text drawn with one feature's activations?
import { isError } from "../base/errors.ts";
import type { Column } from "../evidence/bands.ts";
import type { LabelledTokens } from "../evidence/labels.ts";
import type { Piece, Strip } from "./page.ts";

export interface Pieces {
  pieces(ids: ArrayLike<number>): Piece[];
}

export const stripBefore = 24;
export const stripAfter = 12;

/** Many models have more rows of logits than tokens: what no token has is said to be so. */
export function pieceOf(tokenizer: Pieces, id: number): Piece {
  try {
    return tokenizer.pieces([id])[0]!;
  } catch (error) {
    if (!isError(error, "text/token-id")) throw error;
    return { text: "", special: `[no token ${id}]` };
  }
}

/** Pieces are shared between strips: treat them as frozen. */
export function stripMaker(
  split: LabelledTokens,
  tokenizer: Pieces,
): {
  strip(column: Column, token: number, peak: number): Strip;
  piece(id: number): Piece;
} {
  const cache = new Map<number, { piece: Piece; direction: number }>();
  const known = (id: number): { piece: Piece; direction: number } => {
    let entry = cache.get(id);
    if (entry === undefined) {
      const piece = pieceOf(tokenizer, id);
      entry = { piece, direction: piece.special ? 0 : directionOf(piece) };
      cache.set(id, entry);
    }
    return entry;
  };
  const { tokens, context, doc, contexts, documents } = split;
  return {
    piece: (id) => known(id).piece,
    strip(column, token, peak) {
      let from = token;
      let to = token + 1;
      while (from > 0 && token - from < stripBefore && doc[from - 1] === doc[token]) from--;
      while (to < tokens.length && to - token <= stripAfter && doc[to] === doc[token]) to++;
      const pieces: Piece[] = [];
      let direction = 0;
      for (let t = from; t < to; t++) {
        const entry = known(tokens[t]!);
        pieces.push(entry.piece);
        direction += entry.direction;
      }
      const acts = new Array<number>(to - from).fill(0);
      for (let i = lowerBound(column.token, from); i < column.token.length; i++) {
        const t = column.token[i]!;
        if (t >= to) break;
        acts[t - from] = shown(column.value[i]!, peak);
      }
      return {
        pieces,
        acts,
        peak: token - from,
        value: acts[token - from]!,
        dir: direction < 0 ? "rtl" : "ltr",
        context: contexts[context[token]!]!,
        document: documents[doc[token]!]!.id,
      };
    },
  };
}

/** A ten-thousandth of the peak is fine enough; what fires at all never becomes 0. */
function shown(value: number, peak: number): number {
  const digits = Math.max(0, 4 - Math.ceil(Math.log10(peak)));
  const unit = 10 ** digits;
  return Math.round(value * unit) / unit || Number(value.toPrecision(2));
}

/** First index whose entry is at least `x`, in ascending numbers. */
export function lowerBound(sorted: Uint32Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/gu;
const letter = /\p{L}/gu;

/** Left-to-right letters minus right-to-left ones; bytes that begin a Hebrew or Arabic letter count. */
function directionOf({ text, hex }: Piece): number {
  if (hex !== undefined) return /^ ?(20)?(D[6-9A-D])/.test(hex) ? -1 : 0;
  const right = text.match(rightToLeft)?.length ?? 0;
  return (text.match(letter)?.length ?? 0) - 2 * right;
}
