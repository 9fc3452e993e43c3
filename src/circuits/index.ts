// How parts of a model compose, and how to read it: everything by name.
export { type Answers, logitDifferences } from "./answers.ts";
export {
  type Attribution,
  accumulated,
  attributionFigures,
  directAttribution,
  type Part,
  type PartFigure,
} from "./attribution.ts";
export { attributionSums, type NamedFigure } from "./attribution-sums.ts";
export {
  type Composition,
  type CompositionKind,
  compositionScores,
  compositions,
} from "./composition.ts";
export { type Copying, copyingScore, copyingScores } from "./copying.ts";
export { type Eigenvalues, eigenvalues } from "./eigenvalues.ts";
export type { Figure, FigureControl, FigureControlKind, Head } from "./figure.ts";
export { type FoldOptions, type HeadWeights, readHeads, readUnembedding } from "./head-weights.ts";
export {
  attentionPatterns,
  type HeadScoreOptions,
  type HeadScores,
  headScores,
  type Relation,
  relationNames,
  repeatedTokens,
} from "./heads.ts";
export {
  type Lens,
  type LensLayer,
  type LensOptions,
  lensSites,
  logitLens,
  type Translators,
} from "./lens.ts";
export type { Matrix } from "./matrix.ts";
export type { ControlOptions, Direction, PromptPairs } from "./pairs.ts";
export { patchingSweep, type Sweep, type SweepCell, type SweepOptions } from "./patching.ts";
export { type PathCell, type PathOptions, pathPatching, type Receiver } from "./path-patching.ts";
export { type ProbeData, type Probing, type ProbingOptions, probeWithControl } from "./probing.ts";
export {
  fullCircuit,
  type TokenCircuit,
  type TokenCircuitOptions,
  type TokenPair,
  tokenCircuit,
} from "./token-circuits.ts";
export {
  judgeTunedLens,
  type LensVerdict,
  type TunedLens,
  type TunedLensOptions,
  trainTunedLens,
} from "./tuned-lens.ts";
