// Everything for letting a model write, by name.
export {
  type GeneratedStep,
  type GeneratedToken,
  type GenerateOptions,
  generate,
} from "./generate.ts";
export type { SamplingOptions, TokenLogprob } from "./sampling.ts";
export type { During } from "./schedule.ts";
export type { Finish } from "./stop.ts";
