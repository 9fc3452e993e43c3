// The names on the usual path: load or grow, record, learn, describe, judge. Everything else has its own door.
export {
  type ActivationPiece,
  activationStream,
  recordActivations,
  shuffledBatches,
} from "./activations/index.ts";
export {
  type Bundle,
  type DictionarySummary,
  describeDictionary,
  type FeaturePage,
  type FeatureRow,
  openBundle,
} from "./analysis/index.ts";
export { isError, MicrographiaError } from "./base/errors.ts";
export type { Context, Progress } from "./base/progress.ts";
export { type Random, random } from "./base/random.ts";
export {
  type Coder,
  type Dictionary,
  dictionaryReconstructor,
  loadDictionary,
  openCoder,
  type SparseRows,
  saveDictionary,
  spliceFacts,
  trainDictionary,
} from "./dictionaries/index.ts";
export { type Claim, claim, type Estimate, type Verdict, verdictOf } from "./evidence/index.ts";
export {
  ablate,
  clamp,
  edit,
  generate,
  gradients,
  type Intervention,
  lossWith,
  patch,
  replaceWith,
  runWithCache,
  steer,
} from "./hooks/index.ts";
export {
  editStack,
  growModel,
  listOrganisms,
  loadModel,
  loadOrganism,
  type Model,
  type ModelConfig,
  makeModel,
  openModel,
  permutedModel,
  pushEdit,
  saveModel,
  site,
  sitesOf,
  tokensOf,
  undoEdit,
  viewStack,
} from "./models/index.ts";
export { type Backend, ortBackend, referenceBackend } from "./runtime/index.ts";
export { folderStore, memoryStore, type Store } from "./storage/index.ts";
export { type Tensor, tensor } from "./tensor/index.ts";
export {
  type Document,
  loadTokenizer,
  packRows,
  readFieldGuide,
  type Split,
  type Tokenizer,
  type TokenRows,
} from "./text/index.ts";
