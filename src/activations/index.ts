// Everything about recorded activations, by name.
export { type Moments, type MomentsState, type MomentsSum, sumMoments } from "./moments.ts";
export { type ActivationManifest, type RecordOptions, recordActivations } from "./record.ts";
export { type Replay, replayActivations } from "./replay.ts";
export { type RowsSource, type ShuffleOptions, shuffledBatches } from "./shuffle.ts";
export {
  type ActivationPiece,
  type ActivationRows,
  activationStream,
  type StreamOptions,
} from "./stream.ts";
