// What a run says while it works: one JSON line an event, in the order in which things happened.
import { z } from "zod";
import { ContextProgressSchema, ProblemSchema, StageSchema } from "./run-state.ts";

const runStarted = z.object({
  type: z.literal("run-started"),
  model: z.string(),
  site: z.string(),
  seed: z.number().int(),
  total_tokens: z.number(),
  dictionary: z.string().nullable().optional(),
  stages: z.array(
    z.object({
      name: z.string(),
      total: z.number().optional(),
      unit: z.string().optional(),
      /** Its part of the whole run's time, any unit: what the remaining time is told from. */
      share: z.number().positive().optional(),
    }),
  ),
});

const stage = z.object({
  type: z.literal("stage"),
  name: z.string(),
  state: StageSchema.shape.state,
  done: z.number().optional(),
  total: z.number().optional(),
  unit: z.string().optional(),
});

/** Figures at a number of tokens: FVU, L0, dead, CE_recovered, loss; the control's as `control.FVU`. */
const metric = z.object({
  type: z.literal("metric"),
  tokens: z.number(),
  values: z.record(z.string(), z.number()),
});

/** `history` of a row holds only what is new; contexts that are not named stay as they are. */
const contexts = z.object({ type: z.literal("contexts"), rows: z.array(ContextProgressSchema) });

const bundle = z.object({
  type: z.literal("bundle"),
  dictionary: z.string(),
  revision: z.number().int(),
  state: z.enum(["interim", "described", "controlled"]),
});

const memory = z.object({ type: z.literal("memory"), bytes: z.number() });
const note = z.object({ type: z.literal("note"), text: z.string() });
const failed = z.object({ type: z.literal("failed"), problem: ProblemSchema });
const ended = z.object({
  type: z.literal("ended"),
  status: z.enum(["done", "failed", "stopped"]),
  figures: z.json().optional(),
});

export const RunEventSchema = z.discriminatedUnion("type", [
  runStarted,
  stage,
  metric,
  contexts,
  bundle,
  memory,
  note,
  failed,
  ended,
]);

/** As it stands in events.jsonl: with the moment, in milliseconds since 1970. */
export const LoggedEventSchema = z.intersection(z.object({ at: z.number() }), RunEventSchema);

export type RunEvent = z.infer<typeof RunEventSchema>;
export type LoggedEvent = z.infer<typeof LoggedEventSchema>;
export type RunStarted = z.infer<typeof runStarted>;
