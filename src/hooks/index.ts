// Everything for looking into a running model and changing it, by name.
export { feedsOf, tapOf } from "./apply.ts";
export { type CaptureOptions, captureProgram, runWithCache } from "./capture.ts";
export { compareLogits, logProbabilities, type Moved } from "./compare.ts";
export { withRandomDirections } from "./control.ts";
export {
  type During,
  type Finish,
  type GeneratedStep,
  type GeneratedToken,
  type GenerateOptions,
  generate,
  type SamplingOptions,
  type TokenLogprob,
} from "./generate/index.ts";
export { matchSites } from "./globs.ts";
export {
  type Agreement,
  attributionPatching,
  attributionScores,
  type Backward,
  type Effects,
  estimateGradients,
  exact,
  exactPatching,
  type GradientRequest,
  type Gradients,
  gradientProgram,
  gradients,
  type Integrated,
  type IntegratedRequest,
  integratedGradients,
  type MemoryEstimate,
  type Outputs,
  type PatchingRequest,
  type PerRow,
  type PromptPair,
  patchingAgreement,
  rankCorrelation,
  relp,
  type Scalar,
  type ScoreRequest,
} from "./gradients/index.ts";
export { interventionHash } from "./hash.ts";
export {
  ablate,
  clamp,
  type Edit,
  edit,
  type FeatureEdit,
  freeze,
  type Intervention,
  InterventionSchema,
  openInterventions,
  parseInterventions,
  patch,
  replaceWith,
  type SerialIntervention,
  type Splice,
  scale,
  serialInterventions,
  splice,
  steer,
  type Target,
} from "./interventions.ts";
export { type LossOptions, type LossRows, lossProgram, lossWith } from "./loss.ts";
export { type MeanOptions, meanActivations, resampleActivations } from "./means.ts";
export { feedSites, type Handed, type Plan, planInterventions } from "./plan.ts";
export { checkTokens, rowsOf } from "./rows.ts";
export type { Cache, Feeds, Source } from "./sources.ts";
export type { Span, Where } from "./where.ts";
