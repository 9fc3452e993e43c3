// Requests and replies that only the server knows; pages, claims and runs bring their own schemas.
import { z } from "zod";
import { DictionarySummarySchema, PieceSchema } from "../analysis/page.ts";

export const ModelInfoSchema = z
  .object({
    name: z.string(),
    config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    parameters: z.number().int(),
    hash: z.string(),
    sites: z.array(
      z.object({
        site: z.string(),
        axes: z.array(z.string()),
        width: z.number().int(),
        available: z.boolean(),
        reason: z.string().optional(),
      }),
    ),
    card: z.string().nullable(),
  })
  .meta({ id: "ModelInfo" });

export const PromptRequestSchema = z
  .object({
    text: z.string().min(1).max(1_000_000),
    /** Strongest features a token that come back. */
    top: z.number().int().min(1).max(64).default(8),
  })
  .meta({ id: "PromptRequest" });

export const PromptReplySchema = z
  .object({
    dictionary: z.string(),
    tokens: z.array(
      z.object({
        id: z.number().int(),
        piece: PieceSchema,
        /** UTF-16 offsets into the text that was sent. */
        start: z.number().int(),
        end: z.number().int(),
        /** Strongest first, by share of the feature's own peak. */
        features: z.array(
          z.object({
            index: z.number().int(),
            name: z.string().nullable(),
            value: z.number(),
            share: z.number(),
          }),
        ),
        L0: z.number().int(),
        /** Nats for this token given the ones before; null for the first. */
        loss: z.number().nullable(),
        expected: z.array(z.object({ piece: PieceSchema, p: z.number() })),
      }),
    ),
    L0: z.number(),
    loss: z.number().nullable(),
    /** Mean loss over held-out text, for comparison. */
    held_out_loss: z.number().nullable(),
    /** True when the text was longer than n_ctx and was read in windows. */
    windows: z.number().int(),
  })
  .meta({ id: "PromptReply" });

export const HomeSchema = z
  .object({
    version: z.string(),
    runs: z.array(
      z.object({
        id: z.string(),
        kind: z.string(),
        status: z.string(),
        dictionary: z.string().nullable(),
      }),
    ),
    dictionaries: z.array(DictionarySummarySchema.omit({ claims: true, contexts: true })),
    models: z.array(z.string()),
    /** Why nothing can be started or stopped here; null when it can. */
    read_only: z.string().nullable(),
  })
  .meta({ id: "Home" });

const flag = z.enum(["0", "1", "true", "false"]).transform((v) => v === "1" || v === "true");

/** The query of a feature list: how it is sorted, which part of it, and what must hold. */
export const FeatureQuerySchema = z
  .object({
    sort: z.enum(["r", "density", "peak", "index", "neuron"]).default("r"),
    /** Default: ascending by index, descending by everything else. */
    order: z.enum(["asc", "desc"]).optional(),
    offset: z.coerce.number().int().min(0).default(0),
    limit: z.coerce.number().int().min(1).max(500).default(100),
    /** Best contexts, separated by commas. */
    context: z.string().max(2000).optional(),
    /** In the name, the context, the tokens of the strongest example, the token it raises most. */
    q: z.string().max(200).optional(),
    min_r: z.coerce.number().optional(),
    min_density: z.coerce.number().optional(),
    max_density: z.coerce.number().optional(),
    alive: flag.optional(),
    /** Verdicts, separated by commas; `none` where nothing is claimed. */
    verdict: z.string().max(200).optional(),
  })
  .meta({ id: "FeatureQuery" });

export const StopReplySchema = z
  .object({ id: z.string(), stopping: z.boolean() })
  .meta({ id: "StopReply" });
