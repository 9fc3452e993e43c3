// Everything about text, by name.
export { type BpeOptions, countWords, endOfText, type TokenizerFile, trainBpe } from "./bpe.ts";
export { type ChatMessage, type ChatOptions, chatPrompt, chatTemplateOf } from "./chat.ts";
export { type Document, type Span, type Split, splits } from "./document.ts";
export { type Duplicate, findDuplicates } from "./duplicates.ts";
export { documentsHash, fieldGuideFolder, fieldGuideHash, readFieldGuide } from "./field-guide.ts";
export { carrier, type Generators, generatorContexts, generators } from "./generators.ts";
export {
  type Mixture,
  type MixtureOptions,
  type MixtureState,
  mixture,
  mixtureRows,
  type RowSource,
  type RowSourceState,
} from "./mixture.ts";
export {
  endContext,
  type Packer,
  type PackOptions,
  packRows,
  startPacking,
  type TokenRows,
} from "./pack.ts";
export { pretokenize } from "./pretokenize.ts";
export { type RowStream, rowStream } from "./row-stream.ts";
export { type ScoreVocabulary, scoreTokenizer } from "./score-tokenizer.ts";
export {
  defaultShares,
  externalDocuments,
  type FileOptions,
  fileDocuments,
  type Shares,
  type Skipped,
  splitOf,
} from "./sources/files.ts";
export { type IntlOptions, intlDocuments } from "./sources/intl.ts";
export { type MachineOptions, machineDocuments } from "./sources/machine.ts";
export type { SpecialPolicy, TokenizerConfig } from "./specials.ts";
export {
  type EncodeOptions,
  type Encoding,
  loadTokenizer,
  type Tokenizer,
  type TokenizerKind,
  type TokenPiece,
} from "./tokenizer.ts";
