// Text to tokens and back: from the file of any tokenizer.
import { readAnyTokenizer } from "./any-tokenizer.ts";
import { readByteLevel } from "./byte-level.ts";
import { nameOf, type TokenizerConfig } from "./specials.ts";
import { isPlainByteLevel, parseTokenizerFile } from "./tokenizer-file.ts";
import type { Tokenizer } from "./tokenizer-types.ts";

export type { TokenPiece } from "./piece.ts";
export type { EncodeOptions, Encoding, Tokenizer, TokenizerKind } from "./tokenizer-types.ts";

const endNames = ["<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>", "[SEP]"];
/**
 * From the text, bytes or value of a Hugging Face `tokenizer.json`: byte-level BPE, BPE with byte
 * fallback (SentencePiece), WordPiece, Unigram. `config` is tokenizer_config.json, which may name the
 * end and say what stands around a text; `eot` names the end-of-text token where it is not one of the
 * usual ones. Refuses with `text/tokenizer-json` or `text/tokenizer-kind` what it does not understand.
 */
export function loadTokenizer(
  file: string | Uint8Array | object,
  { eot, config }: { eot?: string; config?: TokenizerConfig } = {},
): Tokenizer {
  const json = parseTokenizerFile(file);
  const named = nameOf(config?.eos_token);
  const ends = eot !== undefined ? [eot] : named === undefined ? endNames : [named, ...endNames];
  return isPlainByteLevel(json)
    ? readByteLevel(json, { config, ends })
    : readAnyTokenizer(json, { config, ends });
}
