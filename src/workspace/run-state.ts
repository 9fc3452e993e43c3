// Where a run stands: what its events add up to, and what the run page shows.
import { z } from "zod";
import { StripSchema } from "../analysis/page.ts";
import { orNull, ReadingSchema } from "../evidence/claim.ts";

export const StageSchema = z
  .object({
    name: z.string(),
    state: z.enum(["waiting", "running", "done", "failed", "stopped"]),
    done: z.number(),
    total: z.number(),
    unit: z.string(),
    started_s: z.number().nullable(),
    ended_s: z.number().nullable(),
  })
  .meta({ id: "Stage" });

/** One curve of a live chart; the control's is named `control.FVU`. `[tokens, value]`. */
export const SeriesSchema = z
  .object({ name: z.string(), points: z.array(z.tuple([z.number(), z.number()])) })
  .meta({ id: "Series" });

/** The best feature of one context so far: what the run page's rows show. */
export const ContextProgressSchema = z
  .object({
    context: z.string(),
    feature: z.number().int().nullable(),
    reading: orNull(ReadingSchema),
    /** Tokens seen when it first rose above its neuron. */
    appeared_at: z.number().nullable(),
    /** Mean activation there as a share of the peak, one entry a look. `[tokens, share]`. */
    history: z.array(z.tuple([z.number(), z.number()])),
    example: orNull(StripSchema),
  })
  .meta({ id: "ContextProgress" });

export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string().optional(),
    where: z.string().optional(),
    got: z.string().optional(),
    wanted: z.string().optional(),
    hint: z.string().optional(),
  })
  .meta({ id: "Problem" });

export const RunStateSchema = z
  .object({
    id: z.string(),
    kind: z.string(),
    model: z.string(),
    site: z.string(),
    dictionary: z.string().nullable(),
    seed: z.number().int(),
    status: z.enum(["waiting", "running", "done", "failed", "stopped"]),
    elapsed_s: z.number(),
    remaining_s: z.number().nullable(),
    memory_bytes: z.number(),
    tokens: z.number(),
    total_tokens: z.number(),
    stages: z.array(StageSchema),
    series: z.array(SeriesSchema),
    contexts: z.array(ContextProgressSchema),
    /** Dictionary revision whose pages can be read now. */
    revision: z.number().int().nullable(),
    problem: orNull(ProblemSchema),
  })
  .meta({ id: "RunState" });

export type Stage = z.infer<typeof StageSchema>;
export type Series = z.infer<typeof SeriesSchema>;
export type ContextProgress = z.infer<typeof ContextProgressSchema>;
export type Problem = z.infer<typeof ProblemSchema>;
export type RunState = z.infer<typeof RunStateSchema>;
