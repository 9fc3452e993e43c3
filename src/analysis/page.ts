// What a bundle holds and a page shows: rows, pages and summaries of a dictionary's features.
import { z } from "zod";
import { ClaimSchema, EstimateSchema, orNull, ReadingSchema } from "../evidence/claim.ts";

/** A token as it is drawn. `hex` when it is part of a character, `special` when it has no text. */
export const PieceSchema = z
  .object({ text: z.string(), hex: z.string().optional(), special: z.string().optional() })
  .meta({ id: "Piece" });

/** A stretch of text with one feature's activations. `peak` is an index into `pieces`. */
export const StripSchema = z
  .object({
    pieces: z.array(PieceSchema),
    acts: z.array(z.number()),
    peak: z.number().int(),
    value: z.number(),
    dir: z.enum(["ltr", "rtl"]),
    context: z.string(),
    document: z.string(),
  })
  .meta({ id: "Strip" });

export const HistogramSchema = z
  .object({
    /** `counts.length + 1` edges. */
    edges: z.array(z.number()),
    counts: z.array(z.number()),
  })
  .meta({ id: "Histogram" });

export const FeatureRowSchema = z
  .object({
    index: z.number().int(),
    /** What it fires on, made from its figures; null when nothing can be said. */
    name: z.string().nullable(),
    best_context: z.string().nullable(),
    /** Correlation given the current token with the best context (chosen on select, judged on eval). */
    reading: orNull(ReadingSchema),
    density: z.number(),
    peak: z.number(),
    dead: z.boolean(),
    /** Token counts by equal width of activation, 16 bins from 0 to peak. */
    activation: z.array(z.number()),
    /** Share of tokens inside the best context in 11 intervals, weakest first; null where empty. */
    weak_to_strong: z.array(z.number().nullable()),
    example: orNull(StripSchema),
    next_token: orNull(PieceSchema),
  })
  .meta({ id: "FeatureRow" });

export const FeatureListSchema = z
  .object({
    total: z.number().int(),
    matching: z.number().int(),
    offset: z.number().int(),
    rows: z.array(FeatureRowSchema),
    /** Distributions over all features (not only the matching), for the facets. */
    facets: z.object({
      alive: z.number().int(),
      dead: z.number().int(),
      r: HistogramSchema,
      /** Edges are powers of ten: log10 density. */
      density: HistogramSchema,
      neuron: HistogramSchema,
      contexts: z.array(z.object({ context: z.string(), features: z.number().int() })),
      verdicts: z.record(z.string(), z.number().int()),
    }),
  })
  .meta({ id: "FeatureList" });

export const BandSchema = z
  .object({
    /** Activation range of the band. */
    low: z.number(),
    high: z.number(),
    n: z.number().int(),
    /** Share of the band's tokens that lie in the context; Wilson interval. */
    share: orNull(EstimateSchema),
    control: orNull(EstimateSchema),
  })
  .meta({ id: "Band" });

export const IntervalSchema = BandSchema.extend({ examples: z.array(StripSchema) }).meta({
  id: "Interval",
});

export const LogitSchema = z
  .object({ token: z.number().int(), piece: PieceSchema, value: z.number() })
  .meta({ id: "Logit" });

export const NeighbourSchema = z
  .object({
    index: z.number().int(),
    name: z.string().nullable(),
    /** Of decoder rows. */
    cosine: z.number(),
    /** Of activations over the judged tokens; null when it was not taken. */
    r: z.number().nullable(),
  })
  .meta({ id: "Neighbour" });

export const TokenShareSchema = z
  .object({ piece: PieceSchema, share: z.number() })
  .meta({ id: "TokenShare" });

export const ContextReadingSchema = z
  .object({
    context: z.string(),
    /** Tokens of the context among the judged ones. */
    n: z.number().int(),
    r: ClaimSchema,
    r_given_token: ClaimSchema,
    precision: ClaimSchema,
    recall: ClaimSchema,
    /** The activation from which precision and recall count it as firing: best F1 on select. */
    threshold: z.number(),
  })
  .meta({ id: "ContextReading" });

export const FeaturePageSchema = z
  .object({
    dictionary: z.string(),
    revision: z.number().int(),
    index: z.number().int(),
    name: z.string().nullable(),
    /** One or two sentences made of its figures. */
    statement: z.string(),
    site: z.string(),
    d_sae: z.number().int(),
    density: EstimateSchema,
    n_tokens: z.number().int(),
    peak: z.number(),
    dead: z.boolean(),
    best_context: z.string().nullable(),
    /** Shares of the summed activation by current and by previous token, largest first. */
    characteristic: z.object({
      current: z.array(TokenShareSchema),
      previous: z.array(TokenShareSchema),
    }),
    /** The plate "Is it one thing?". */
    claims: z.array(ClaimSchema),
    activation: z.object({
      histogram: HistogramSchema,
      /** Share of the total activation that each bin carries. */
      value_share: z.array(z.number()),
      /** Counts of the density-matched feature of the control dictionary, same edges. */
      control: z.array(z.number()).nullable(),
    }),
    /** Strongest first. */
    intervals: z.array(IntervalSchema),
    top: z.array(StripSchema),
    quantile_bands: z.array(BandSchema),
    contexts: z.array(ContextReadingSchema),
    n_contexts: z.number().int(),
    logits: z.object({
      up: z.array(LogitSchema),
      down: z.array(LogitSchema),
      histogram: HistogramSchema,
      kurtosis: z.number(),
    }),
    nearest: z.array(NeighbourSchema),
    neurons: z.object({
      /** Signed shares of |W_dec|, largest first. */
      top: z.array(z.object({ neuron: z.number().int(), share: z.number() })),
      rest: z.object({ neurons: z.number().int(), share: z.number() }),
      /** Participation ratio, and that of a random direction of the same width. */
      participation: z.number(),
      participation_random: z.number(),
      /** The neuron whose activation correlates most with the feature's. */
      best: z.object({ neuron: z.number().int(), r: z.number() }).nullable(),
    }),
  })
  .meta({ id: "FeaturePage" });

export const DictionarySummarySchema = z
  .object({
    id: z.string(),
    /** What its units are: features of a dictionary, or a site's own neurons. */
    unit: z.enum(["feature", "neuron"]).default("feature"),
    /** Of neurons: from which value on one counts as active. */
    threshold: z.number().nullable().default(null),
    model: z.string(),
    site: z.string(),
    architecture: z.string(),
    d_in: z.number().int(),
    d_sae: z.number().int(),
    k: z.number().int(),
    seed: z.number().int(),
    tokens: z.number().int(),
    /** Grows when interim pages, and later the control, arrive. */
    revision: z.number().int(),
    state: z.enum(["interim", "described", "controlled"]),
    n_tokens: z.number().int(),
    contexts: z.array(z.string()),
    /** L0, FVU, dead, dCE, CE_recovered, …: each with control and baselines. */
    claims: z.array(ClaimSchema),
    alive: z.number().int(),
    dead: z.number().int(),
  })
  .meta({ id: "DictionarySummary" });

export type Piece = z.infer<typeof PieceSchema>;
export type Strip = z.infer<typeof StripSchema>;
export type Histogram = z.infer<typeof HistogramSchema>;
export type FeatureRow = z.infer<typeof FeatureRowSchema>;
export type FeatureList = z.infer<typeof FeatureListSchema>;
export type Band = z.infer<typeof BandSchema>;
export type Interval = z.infer<typeof IntervalSchema>;
export type Logit = z.infer<typeof LogitSchema>;
export type TokenShare = z.infer<typeof TokenShareSchema>;
export type Neighbour = z.infer<typeof NeighbourSchema>;
export type ContextReading = z.infer<typeof ContextReadingSchema>;
export type FeaturePage = z.infer<typeof FeaturePageSchema>;
export type DictionarySummary = z.infer<typeof DictionarySummarySchema>;
