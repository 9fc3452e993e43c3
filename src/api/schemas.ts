// What the server says and the app reads: every reply as a schema, every type derived from it.
import { z } from "@hono/zod-openapi";

const estimate = {
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
};

export const EstimateSchema = z.object(estimate).openapi("Estimate");

export const ControlSchema = z
  .object({
    ...estimate,
    kind: z.enum([
      "permuted-weights",
      "step-0",
      "random-directions",
      "density-matched",
      "constant",
    ]),
    draws: z.number().int(),
  })
  .openapi("Control");

export const BaselineSchema = z
  .object({
    ...estimate,
    kind: z.enum([
      "best-neuron",
      "layer-wide-dictionary",
      "data-points",
      "pca",
      "top-neurons",
      "linear-probe",
      "token-table",
      "bigram-table",
    ]),
    unit: z.number().int().nullable(),
  })
  .openapi("Baseline");

const split = z.enum(["grow", "dictionary", "select", "eval"]);
const verdict = z.enum(["holds", "fails", "undecided", "pending"]);

export const ClaimSchema = z
  .object({
    id: z.string(),
    statement: z.string(),
    metric: z.string(),
    better: z.enum(["higher", "lower"]),
    estimate: EstimateSchema,
    control: ControlSchema.nullable(),
    baselines: z.array(BaselineSchema),
    chosen_on: split.nullable(),
    judged_on: split,
    n: z.number(),
    n_documents: z.number(),
    n_tried: z.number(),
    margin: z.number(),
    seeds: z.array(z.number()),
    verdict,
  })
  .openapi("Claim");

/** A token as it is drawn. `hex` when it is part of a character, `special` when it has no text. */
export const PieceSchema = z
  .object({ text: z.string(), hex: z.string().optional(), special: z.string().optional() })
  .openapi("Piece");

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
  .openapi("Strip");

export const HistogramSchema = z
  .object({
    /** `counts.length + 1` edges. */
    edges: z.array(z.number()),
    counts: z.array(z.number()),
  })
  .openapi("Histogram");

/** A short claim for a row: value, interval, control, best neuron. */
export const ReadingSchema = z
  .object({
    estimate: EstimateSchema,
    control: ControlSchema.nullable(),
    neuron: z.number().nullable(),
    verdict,
  })
  .openapi("Reading");

export const FeatureRowSchema = z
  .object({
    index: z.number().int(),
    /** What it fires on, made from its figures; null when nothing can be said. */
    name: z.string().nullable(),
    best_context: z.string().nullable(),
    /** Correlation given the current token with the best context (chosen on select, judged on eval). */
    reading: ReadingSchema.nullable(),
    density: z.number(),
    peak: z.number(),
    dead: z.boolean(),
    /** Token counts by equal width of activation, 16 bins from 0 to peak. */
    activation: z.array(z.number()),
    /** Share of tokens inside the best context in 11 intervals, weakest first; null where empty. */
    weak_to_strong: z.array(z.number().nullable()),
    example: StripSchema.nullable(),
    next_token: PieceSchema.nullable(),
  })
  .openapi("FeatureRow");

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
  .openapi("FeatureList");

export const BandSchema = z
  .object({
    /** Activation range of the band. */
    low: z.number(),
    high: z.number(),
    n: z.number().int(),
    /** Share of the band's tokens that lie in the context; Wilson interval. */
    share: EstimateSchema.nullable(),
    control: EstimateSchema.nullable(),
  })
  .openapi("Band");

export const IntervalSchema = BandSchema.extend({ examples: z.array(StripSchema) }).openapi(
  "Interval",
);

export const LogitSchema = z
  .object({ token: z.number().int(), piece: PieceSchema, value: z.number() })
  .openapi("Logit");

export const NeighbourSchema = z
  .object({
    index: z.number().int(),
    name: z.string().nullable(),
    /** Of decoder rows. */
    cosine: z.number(),
    /** Of activations over the judged tokens; null when it was not taken. */
    r: z.number().nullable(),
  })
  .openapi("Neighbour");

export const ContextReadingSchema = z
  .object({
    context: z.string(),
    /** Tokens of the context among the judged ones. */
    n: z.number().int(),
    r: ClaimSchema,
    r_given_token: ClaimSchema,
    precision: ClaimSchema,
    recall: ClaimSchema,
  })
  .openapi("ContextReading");

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
  .openapi("FeaturePage");

export const DictionarySummarySchema = z
  .object({
    id: z.string(),
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
  .openapi("DictionarySummary");

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
  .openapi("Stage");

/** One curve of a live chart; the control's is named `control.FVU`. `[tokens, value]`. */
export const SeriesSchema = z
  .object({ name: z.string(), points: z.array(z.tuple([z.number(), z.number()])) })
  .openapi("Series");

/** The best feature of one context so far: what the run page's rows show. */
export const ContextProgressSchema = z
  .object({
    context: z.string(),
    feature: z.number().int().nullable(),
    reading: ReadingSchema.nullable(),
    /** Tokens seen when it first rose above its neuron. */
    appeared_at: z.number().nullable(),
    /** Mean activation there as a share of the peak, one entry a look. `[tokens, share]`. */
    history: z.array(z.tuple([z.number(), z.number()])),
    example: StripSchema.nullable(),
  })
  .openapi("ContextProgress");

export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string().optional(),
    got: z.string().optional(),
    wanted: z.string().optional(),
    hint: z.string().optional(),
  })
  .openapi("Problem");

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
    problem: ProblemSchema.nullable(),
  })
  .openapi("RunState");

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
  .openapi("ModelInfo");

export const PromptRequestSchema = z
  .object({
    text: z.string().min(1).max(1_000_000),
    /** Strongest features a token that come back. */
    top: z.number().int().min(1).max(64).default(8),
  })
  .openapi("PromptRequest");

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
  .openapi("PromptReply");

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
  })
  .openapi("Home");
