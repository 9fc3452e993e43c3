// Which tokens are in the n-th row of a mixture? Any row, though they are made one after the other.
import { documentsHash } from "./field-guide.ts";
import { sha256 } from "./hash.ts";
import {
  type MixtureOptions,
  mixtureRows,
  type RowSource,
  type RowSourceState,
} from "./mixture.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface RowStream {
  readonly n_ctx: number;
  /** Two streams of one id hold the same rows. */
  readonly id: string;
  /** Rows [row, row + count): fast in order; elsewhere rows are made again from a place before. */
  read(row: number, count: number): Int32Array;
}

const placeEvery = 4096; // rows

export function rowStream(
  tokenizer: Tokenizer,
  options: MixtureOptions,
  { n_ctx }: { n_ctx: number },
): RowStream {
  const { seed, weights, split, documents } = options;
  const content = documentsHash(documents.filter((document) => document.split === split));
  /** States on the way, by row: where to begin again. */
  const places = new Map<number, RowSourceState | undefined>([[0, undefined]]);
  let source: RowSource | undefined;
  let at = 0;

  const seek = (row: number): RowSource => {
    if (source === undefined || row < at) {
      const from = Math.max(...[...places.keys()].filter((place) => place <= row));
      source = mixtureRows(tokenizer, options, { n_ctx }, places.get(from));
      at = from;
    }
    while (at < row) advance(source, Math.min(row - at, 256));
    return source;
  };
  const advance = (from: RowSource, count: number): Int32Array => {
    const { tokens } = from.take(count);
    const block = Math.floor(at / placeEvery);
    at += count;
    if (Math.floor(at / placeEvery) > block) places.set(at, from.state());
    return tokens;
  };
  return {
    n_ctx,
    id: sha256(JSON.stringify([tokenizer.hash, content, seed, weights, split, n_ctx])),
    read: (row, count) => advance(seek(row), count),
  };
}
