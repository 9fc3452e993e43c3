// Everything about gradients through a model, by name.
export {
  type Agreement,
  attributionPatching,
  type Effects,
  exactPatching,
  type PatchingRequest,
  type PromptPair,
  patchingAgreement,
} from "./attribution-patching.ts";
export { type Backward, exact, relp } from "./backward.ts";
export { type GradientSpec, gradientGraph, gradientOf, scalarName } from "./gradient-graph.ts";
export {
  estimateGradients,
  type GradientRequest,
  type Gradients,
  gradientProgram,
  gradients,
  memoryLimitBytes,
} from "./gradients.ts";
export { type Integrated, type IntegratedRequest, integratedGradients } from "./integrated.ts";
export type { MemoryEstimate } from "./memory.ts";
export { rankCorrelation } from "./ranks.ts";
export { type Outputs, type PerRow, planScalar, type Scalar, type ScalarPlan } from "./scalar.ts";
export { attributionScores, type ScoreRequest } from "./scores.ts";
