// What every tokenizer can do, whatever its kind.
import type { TokenPiece } from "./piece.ts";
import type { SpecialPolicy } from "./specials.ts";

export interface Encoding {
  ids: Int32Array;
  /**
   * Two per token: [start, end) in UTF-16 units of the text. A token that is only a part of a
   * character has the range of the whole character, so neighbours may overlap.
   */
  chars: Int32Array;
  /** Two per token: [start, end) in the UTF-8 bytes of the text as it was encoded; no overlap. */
  bytes: Int32Array;
}

export type TokenizerKind = "byte-level" | "bpe" | "wordpiece" | "unigram" | "words";

export interface EncodeOptions {
  /** Puts the tokens of `policy` around the text. Default: nothing is put around it. */
  special?: boolean;
}

/**
 * Lone surrogates have no UTF-8 and are encoded as U+FFFD. Where `lossless`, `decode(encode(text))` is
 * `text` with each of them replaced (a text without added tokens, and for SentencePiece without U+2581,
 * its mark for a space). Added tokens are found in the text (`<|endoftext|>` is one token).
 */
export interface Tokenizer {
  readonly kind: TokenizerKind;
  readonly lossless: boolean;
  readonly d_vocab: number;
  /** The end-of-text token. */
  readonly eot: number;
  /** SHA-256 of everything that changes the ids. */
  readonly hash: string;
  /** What the model expects around a text; applied only when `special` asks for it. */
  readonly policy: SpecialPolicy;
  /** Id of an entry or added token by its name. */
  idOf(name: string): number | undefined;
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** Tokens that stand for no text (a prefixed space, `special` ones) have empty ranges. */
  encodeWithOffsets(text: string, options?: EncodeOptions): Encoding;
  /**
   * Bytes that are not UTF-8 (a part of a character at a border) read as U+FFFD. `special: false`
   * leaves marks such as `<s>` out.
   */
  decode(ids: ArrayLike<number>, options?: EncodeOptions): string;
  /** For display, each token by itself. */
  pieces(ids: ArrayLike<number>): TokenPiece[];
  tokenBytes(id: number): Uint8Array;
}
