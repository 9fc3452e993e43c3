// Splits, nulls, baselines, intervals, claims: nothing above states a figure without them.
export { auroc, aurocInterval } from "./auroc.ts";
export {
  bestThreshold,
  type Column,
  equalBands,
  peakOf,
  quantileBands,
  type ShareBand,
} from "./bands.ts";
export {
  bootstrapInterval,
  type Product,
  plainProduct,
  quantile,
  type Resamples,
  resampleDocuments,
} from "./bootstrap.ts";
export {
  type Baseline,
  type BaselineKind,
  type Claim,
  ClaimSchema,
  type Control,
  type ControlKind,
  claim,
  type Estimate,
  EstimateSchema,
  type Reading,
  ReadingSchema,
  type Verdict,
  verdictOf,
} from "./claim.ts";
export {
  type ContextRivals,
  type ContextSummary,
  contextClaims,
  contextFigures,
  discrimination,
  type Rival,
} from "./context-claims.ts";
export { type ControlContext, type ControlFigures, pairKeys, poolControls } from "./control.ts";
export {
  type Correlations,
  columnMoments,
  correlations,
  denseMoments,
  type Moments,
  type TokenSums,
  tokenMeans,
} from "./correlate.ts";
export type { PairFigures } from "./document-sums.ts";
export {
  type Chosen,
  type ContextFigure,
  chooseThresholds,
  chooseUnits,
  columnOf,
  type Ground,
  judgeChosen,
  judgeUnit,
  layGround,
  measureContexts,
  type UnitPair,
} from "./judge.ts";
export {
  fitTokens,
  type LabelledTokens,
  type LabelSums,
  labelSums,
  type TokenFit,
  tokenTableCorrelation,
} from "./labels.ts";
export {
  type LossArrays,
  type LossClaims,
  lossClaims,
  meanDifference,
  recovered,
} from "./loss-claims.ts";
export { densityMatched, randomDirections, randomUnits } from "./nulls.ts";
export { fitProbe, type Probe, probeRows, probeScores } from "./probe.ts";
export {
  activationsAt,
  columnsAt,
  fieldNouns,
  type Occurrences,
  occurrences,
  raisesNouns,
  type TheToken,
  theToken,
} from "./the-token.ts";
export { wilson } from "./wilson.ts";
