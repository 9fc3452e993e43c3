// Everything the dictionaries floor offers, by name.
export { type Coder, openCoder } from "./coder.ts";
export { type DataPoints, dataPoints, matchingPursuit } from "./data-points.ts";
export {
  type Dictionary,
  type DictionaryMetadata,
  foldScale,
  makeDictionary,
} from "./dictionary.ts";
export {
  bestCosines,
  countFirings,
  type DensityFacts,
  densityFacts,
  type FvuMeter,
  fvuMeter,
  L0,
  meanLoss,
  type SpliceFacts,
  type SpliceLosses,
  spliceFacts,
} from "./metrics.ts";
export { fitPca, type Pca, pcaReconstructor } from "./pca.ts";
export { type PlantedWorld, plantedWorld } from "./planted.ts";
export {
  constantReconstructor,
  dictionaryReconstructor,
  type Reconstructor,
  topNeurons,
} from "./reconstruct.ts";
export { loadDictionary, saveDictionary } from "./saelens.ts";
export { concatRows, type FeatureColumns, type SparseRows, toColumns } from "./sparse.ts";
export {
  finished,
  type TrainContext,
  type TrainMetrics,
  type TrainOptions,
  trainDictionary,
} from "./train.ts";
export { loadTrainingState, saveTrainingState, type TrainingState } from "./training-state.ts";
