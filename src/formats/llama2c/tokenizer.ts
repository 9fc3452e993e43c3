// The pieces of a llama2.c tokenizer (tokenizer.bin, tok512.bin): bytes and scores by id.
import { check } from "../../base/errors.ts";
import { cursor } from "../cursor.ts";

export interface Llama2cTokenizer {
  /** Bytes by id. `<0x0A>` stands for one byte; 1 and 2 are the beginning and end of a text. */
  readonly pieces: readonly Uint8Array[];
  /** The pair with the highest score is merged first. */
  readonly scores: Float32Array;
  readonly maxPieceBytes: number;
}

const code = "format/llama2c";

/** The file does not say how many pieces there are: it ends behind the last. */
export function parseLlama2cTokenizer(bytes: Uint8Array, where: string): Llama2cTokenizer {
  const c = cursor(bytes, { where, code });
  const maxPieceBytes = c.u32();
  const pieces: Uint8Array[] = [];
  const scores: number[] = [];
  while (c.left() > 0) {
    scores.push(c.f32());
    const length = c.i32();
    check(length >= 0 && length <= maxPieceBytes, `${code}-tokenizer`, "a piece is too long", {
      where: `${where}: piece ${pieces.length}`,
      got: length,
      wanted: `at most ${maxPieceBytes} bytes`,
    });
    pieces.push(new Uint8Array(c.bytes(length)));
  }
  return Object.freeze({ pieces, scores: Float32Array.from(scores), maxPieceBytes });
}
