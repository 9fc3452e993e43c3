// Everything about models, by name.

export { type BlockError, blockErrors, weightDtype } from "./block-error.ts";
export type { KeyValues } from "./blocks/attention.ts";
export type { Tap, Weights } from "./blocks/scope.ts";
export { hashModel, loadModel, makeModel, type SaveOptions, saveModel } from "./checkpoint.ts";
export {
  type ActFn,
  type Biases,
  type Encoder,
  type Experts,
  type ImageInput,
  keyValueHeads,
  largestRowBytes,
  longestRow,
  type Model,
  type ModelConfig,
  type Rotary,
  type RotaryScaling,
  type SentenceEmbedding,
  type StoredBlocks,
} from "./config.ts";
export {
  centreUnembed,
  centreWritingWeights,
  type EditedModel,
  type EditStack,
  editModel,
  editStack,
  foldNorms,
  foldValueBiases,
  hashTensor,
  type NumberEdit,
  type Processing,
  parseEdit,
  parseStack,
  processingKinds,
  pushEdit,
  redoEdit,
  type TensorSource,
  undoEdit,
  type ViewOptions,
  viewStack,
  type WeightEdit,
} from "./edits/index.ts";
export {
  type EncodeOptions,
  type EncoderInputs,
  type Encoding,
  encode,
} from "./encoders/encode.ts";
export { clipLogits } from "./encoders/heads.ts";
export { type Preprocess, readPreprocess } from "./encoders/preprocess.ts";
export {
  type EncoderFeeds,
  type EncoderOutput,
  type EncoderProgramOptions,
  encoderOutputs,
  encoderProgram,
  runEncoder,
} from "./encoders/run.ts";
export type { Tower } from "./families/clip.ts";
export { modelFingerprint } from "./fingerprint.ts";
export {
  type GrowOptions,
  type GrowRows,
  type GrowStream,
  type GrowthLine,
  growModel,
  type Readings,
} from "./grow.ts";
export { trainingProgram } from "./grow-program.ts";
export { initWeights } from "./init.ts";
export { nextTokenLosses } from "./loss.ts";
export * from "./onnx/index.ts";
export { fromStored, type OpenOptions, openModel } from "./open.ts";
export { listOrganisms, loadOrganism, organismFolder, organismsFolder } from "./organisms.ts";
export { type BoundWeights, bindWeights, readWeight, weightInputs } from "./parameters.ts";
export { checkConfig, parseConfig } from "./parse-config.ts";
export { permutedModel } from "./permuted.ts";
export { type ResolvedModel, resolveModel } from "./resolve.ts";
export { type Axis, type SiteRow, sites } from "./site-table.ts";
export { findSite, type SiteInfo, site, siteShape, sitesOf, siteWidth } from "./sites.ts";
export { chatTemplateAt } from "./sources/chat.ts";
export type { Source, Stored } from "./stored.ts";
export { type TokensOptions, tokensOf } from "./tokens.ts";
export { type Forward, type ForwardOptions, forward, residual, unembed } from "./transformer.ts";
export { contextLosses, type ValidationRows } from "./validate.ts";
export type { View, ViewStep } from "./views.ts";
export { checkWeights, weightShapes } from "./weight-shapes.ts";
export {
  readWidened,
  type Widened,
  type WidenOptions,
  type WidenPlan,
  type WidenSource,
  widenedCopy,
  widenPlan,
} from "./widen.ts";
