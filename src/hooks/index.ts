// Everything for looking into a running model and changing it, by name.
export {
  type CaptureOptions,
  captureProgram,
  checkTokens,
  rowsOf,
  runWithCache,
} from "./capture.ts";
export { ablate, edit, feedName, type Intervention, replaceWith, tapOf } from "./interventions.ts";
export { type LossOptions, type LossRows, lossProgram, lossWith } from "./loss.ts";
