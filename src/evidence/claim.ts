// The claim: a finding with its figures, its control and its rivals. Nothing above states a figure without it.
import { z } from "zod";

/** `schema.nullable()` would carry the schema's id along; a union keeps the two apart in OpenAPI. */
export function orNull<T extends z.ZodType>(schema: T): z.ZodUnion<readonly [T, z.ZodNull]> {
  return z.union([schema, z.null()]);
}

const estimate = {
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
};

export const EstimateSchema = z.object(estimate).meta({ id: "Estimate" });

export const ControlSchema = z
  .object({
    ...estimate,
    kind: z.enum([
      "permuted-weights",
      "step-0",
      "data-points",
      "random-directions",
      "density-matched",
      "constant",
    ]),
    draws: z.number().int(),
  })
  .meta({ id: "Control" });

export const BaselineSchema = z
  .object({
    ...estimate,
    kind: z.enum([
      "best-neuron",
      "layer-wide-dictionary",
      "random-directions",
      "data-points",
      "pca",
      "top-neurons",
      "linear-probe",
      "token-table",
      "bigram-table",
    ]),
    unit: z.number().int().nullable(),
  })
  .meta({ id: "Baseline" });

export const SplitSchema = z.enum(["grow", "dictionary", "select", "eval"]);

export const VerdictSchema = z.enum(["holds", "fails", "undecided", "pending"]);

export const ClaimSchema = z
  .object({
    id: z.string(),
    statement: z.string(),
    metric: z.string(),
    better: z.enum(["higher", "lower"]),
    estimate: EstimateSchema,
    control: orNull(ControlSchema),
    baselines: z.array(BaselineSchema),
    chosen_on: SplitSchema.nullable(),
    judged_on: SplitSchema,
    n: z.number(),
    n_documents: z.number(),
    n_tried: z.number(),
    margin: z.number(),
    seeds: z.array(z.number()),
    verdict: VerdictSchema,
  })
  .meta({ id: "Claim" });

/** A short claim for a row: value, interval, control, best neuron. */
export const ReadingSchema = z
  .object({
    estimate: EstimateSchema,
    control: orNull(ControlSchema),
    neuron: z.number().nullable(),
    verdict: VerdictSchema,
  })
  .meta({ id: "Reading" });

export type Estimate = z.infer<typeof EstimateSchema>;
export type Control = z.infer<typeof ControlSchema>;
export type Baseline = z.infer<typeof BaselineSchema>;
export type Claim = z.infer<typeof ClaimSchema>;
export type Reading = z.infer<typeof ReadingSchema>;
export type BaselineKind = Baseline["kind"];
export type ControlKind = Control["kind"];
export type Split = z.infer<typeof SplitSchema>;
export type Verdict = z.infer<typeof VerdictSchema>;

/** Rivals that a claim must at least equal; the others are ceilings or context. */
const rivals: ReadonlySet<BaselineKind> = new Set([
  "best-neuron",
  "random-directions",
  "data-points",
  "pca",
  "top-neurons",
]);

/**
 * Holds: the interval clears the control's by the margin, and the value is no worse than any rival.
 * Fails: the value lies inside its control's band, or the control's band clears the interval.
 * Anything between is undecided.
 */
export function verdictOf(
  claim: Pick<Claim, "better" | "estimate" | "control" | "baselines" | "margin">,
): Verdict {
  const { control, estimate } = claim;
  if (control === null) return "pending";
  const sign = claim.better === "higher" ? 1 : -1;
  const worst = (e: Estimate): number => (sign > 0 ? (e.low ?? e.value) : -(e.high ?? e.value));
  const best = (e: Estimate): number => (sign > 0 ? (e.high ?? e.value) : -(e.low ?? e.value));
  if (!(sign * estimate.value > best(control))) return "fails";
  const beatsRivals = claim.baselines
    .filter((b) => rivals.has(b.kind))
    .every((b) => sign * estimate.value >= sign * b.value);
  const clears = sign * estimate.value >= sign * control.value + claim.margin;
  return beatsRivals && clears && worst(estimate) > best(control) ? "holds" : "undecided";
}

/** Freezes a claim with its verdict. */
export function claim(parts: Omit<Claim, "verdict">): Claim {
  return Object.freeze({ ...parts, verdict: verdictOf(parts) });
}
