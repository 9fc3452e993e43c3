// The contract's types by name; the app imports these and never the schemas, so zod stays out of its bundle.
import type { z } from "zod";
import type * as schemas from "./schemas.ts";

export type ModelInfo = z.infer<typeof schemas.ModelInfoSchema>;
export type PromptRequest = z.infer<typeof schemas.PromptRequestSchema>;
export type PromptReply = z.infer<typeof schemas.PromptReplySchema>;
export type FeatureQuery = z.infer<typeof schemas.FeatureQuerySchema>;
export type StopReply = z.infer<typeof schemas.StopReplySchema>;
export type Home = z.infer<typeof schemas.HomeSchema>;
export type {
  Band,
  ContextReading,
  DictionarySummary,
  FeatureList,
  FeaturePage,
  FeatureRow,
  Histogram,
  Interval,
  Logit,
  Neighbour,
  Piece,
  Strip,
} from "../analysis/page.ts";
export type {
  Baseline,
  Claim,
  Control,
  Estimate,
  Reading,
  Verdict,
} from "../evidence/claim.ts";
export type {
  ContextProgress,
  Problem,
  RunState,
  Series,
  Stage,
} from "../workspace/run-state.ts";
