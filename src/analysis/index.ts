// What features mean: pages, rows and bundles of a dictionary.
export { applyControl, withControl } from "./apply-control.ts";
export { type BundleWriter, bundleFiles, bundleWriter } from "./bundle.ts";
export { type Bundle, currentRevision, openBundle } from "./bundle-read.ts";
export { columnBuilder } from "./columns.ts";
export {
  type DescribeInput,
  type DescribeResult,
  describeColumns,
  type Recorded,
} from "./describe.ts";
export {
  type DescribeDictionary,
  describeDictionary,
  groundOf,
  logitPath,
  measureDictionary,
} from "./describe-dictionary.ts";
export { describeNeurons, measureNeurons } from "./describe-neurons.ts";
export { type LogitPath, logitWeights, summarizeLogits } from "./logit-weights.ts";
export { nameOf, statementOf } from "./name.ts";
export { nearestRows } from "./nearest.ts";
export { neuronThreshold, recordNeurons } from "./neuron-units.ts";
export { neuronMatcher, neuronShares, participationRatio } from "./neurons.ts";
export * from "./page.ts";
export { rowOf } from "./pages.ts";
export { probeCeiling } from "./probe-ceiling.ts";
export { backendProduct } from "./product.ts";
export {
  bosPolicy,
  checkProvenance,
  type Provenance,
  provenanceInputs,
  provenanceOf,
} from "./provenance.ts";
export { recordSplit } from "./record.ts";
export { stripMaker } from "./strips.ts";
