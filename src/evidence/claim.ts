// The claim: a finding with its figures, its control and its rivals. Nothing above states a figure without it.

/** A figure with its 95 % interval (document bootstrap unless the metric says otherwise). */
export interface Estimate {
  value: number;
  low: number | null;
  high: number | null;
}

export type ControlKind =
  | "permuted-weights"
  | "step-0"
  | "random-directions"
  | "density-matched"
  | "constant";

/** The same procedure where the effect cannot be, at equal budget. */
export interface Control extends Estimate {
  kind: ControlKind;
  /** How many independent draws the range covers. */
  draws: number;
}

export type BaselineKind =
  | "best-neuron"
  | "layer-wide-dictionary"
  | "data-points"
  | "pca"
  | "top-neurons"
  | "linear-probe"
  | "token-table"
  | "bigram-table";

/** The cheap explanation, or (for the probe) the ceiling. */
export interface Baseline extends Estimate {
  kind: BaselineKind;
  /** Which unit, when there is one: a neuron's index. */
  unit: number | null;
}

export type SplitName = "grow" | "dictionary" | "select" | "eval";
export type Verdict = "holds" | "fails" | "undecided" | "pending";

export interface Claim {
  /** Stable within its artifact, e.g. `r_given_token/hebrew/1790`. */
  id: string;
  statement: string;
  metric: string;
  better: "higher" | "lower";
  estimate: Estimate;
  /** Null until it has been computed; the verdict is then `pending`. */
  control: Control | null;
  baselines: Baseline[];
  /** Where the unit was chosen; null when nothing was chosen. */
  chosen_on: SplitName | null;
  judged_on: SplitName;
  /** Tokens (or pairs) the figure is taken over, and the documents they lie in. */
  n: number;
  n_documents: number;
  /** Units tried on each side when one was chosen. */
  n_tried: number;
  /** By how much the value must clear the control. */
  margin: number;
  seeds: number[];
  verdict: Verdict;
}

/** Rivals that a claim must at least equal; the others are ceilings or context. */
const rivals: ReadonlySet<BaselineKind> = new Set([
  "best-neuron",
  "data-points",
  "pca",
  "top-neurons",
]);

/**
 * Holds: the interval clears the control's by the margin, and the value is no worse than any rival.
 * Fails: the value lies inside its control's band, or the control's band clears the interval.
 * Anything between is undecided.
 */
export function verdictOf(claim: Omit<Claim, "verdict">): Verdict {
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
