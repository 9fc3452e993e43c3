// What does it cost the model to read a reconstruction instead of its own activations?
import { check } from "../base/errors.ts";
import { bootstrapInterval, type Resamples } from "./bootstrap.ts";
import {
  type Baseline,
  type BaselineKind,
  type Claim,
  type Control,
  claim,
  type Estimate,
} from "./claim.ts";

/** Cross entropies per token in nats over the same eval tokens; NaN where a token has no target. */
export interface LossArrays {
  clean: Float32Array;
  dictionary: Float32Array;
  /** Site set to zero, and to its mean. */
  zero?: Float32Array;
  mean?: Float32Array;
  /** Rivals at the same L0. */
  rivals?: Partial<Record<BaselineKind, Float32Array>>;
}

export interface LossClaims {
  dCE: Claim;
  /** dictionary ΔCE ÷ data points' ΔCE: the bar is one half. */
  half_of_data_points: Claim | null;
  CE_recovered: Claim | null;
  CE_recovered_mean: Claim | null;
}

export interface LossOptions {
  doc: Int32Array;
  resamples: Resamples;
  /**
   * Default: the constant reconstruction (mean ablation; zero where there is no mean). The permuted model is no
   * control here: a model that cannot use its neurons loses nothing when they are replaced.
   */
  control?: { dCE?: Control; CE_recovered?: Control; CE_recovered_mean?: Control };
  L0: number;
  seed?: number;
}

/** Per-document sums of a loss difference over tokens that have a target, and of their number. */
function differenceSums(
  a: Float32Array,
  b: Float32Array,
  doc: Int32Array,
  documents: number,
): Float64Array {
  check(
    a.length === b.length && a.length === doc.length,
    "shape/size",
    "losses of different tokens",
    {
      got: [a.length, b.length],
      wanted: doc.length,
    },
  );
  const sums = new Float64Array(documents);
  for (let t = 0; t < a.length; t++) {
    const x = a[t]! - b[t]!;
    if (!Number.isNaN(x)) sums[doc[t]!]! += x;
  }
  return sums;
}

function targets(clean: Float32Array, doc: Int32Array, documents: number): Float64Array {
  const n = new Float64Array(documents);
  for (let t = 0; t < clean.length; t++) if (!Number.isNaN(clean[t]!)) n[doc[t]!]!++;
  return n;
}

/** Mean difference a − b in nats a token, with its document interval: ΔCE. */
export function meanDifference(
  a: Float32Array,
  b: Float32Array,
  doc: Int32Array,
  resamples: Resamples,
): Estimate {
  const { documents } = resamples;
  const sums = [differenceSums(a, b, doc, documents), targets(b, doc, documents)];
  return bootstrapInterval(sums, ([x, n]) => x! / n!, resamples);
}

/** (CE_ablated − CE_spliced) ÷ (CE_ablated − CE_clean). */
export function recovered(
  ablated: Float32Array,
  { clean, dictionary }: LossArrays,
  doc: Int32Array,
  resamples: Resamples,
): Estimate {
  const { documents } = resamples;
  const sums = [
    differenceSums(ablated, dictionary, doc, documents),
    differenceSums(ablated, clean, doc, documents),
  ];
  return bootstrapInterval(sums, ([won, all]) => won! / all!, resamples);
}

/** The figures of the site's mean in place of every activation. */
function constantControls(
  losses: LossArrays,
  doc: Int32Array,
  resamples: Resamples,
): NonNullable<LossOptions["control"]> {
  const { clean, zero, mean } = losses;
  const constant = mean ?? zero;
  if (constant === undefined) return {};
  const as = (estimate: Estimate): Control => ({ ...estimate, kind: "constant", draws: 1 });
  const won = (ablated: Float32Array): Control =>
    as(recovered(ablated, { clean, dictionary: constant }, doc, resamples));
  return {
    dCE: as(meanDifference(constant, clean, doc, resamples)),
    CE_recovered: zero && won(zero),
    CE_recovered_mean: mean && won(mean),
  };
}

export function lossClaims(losses: LossArrays, options: LossOptions): LossClaims {
  const { doc, resamples, seed = 0, L0 } = options;
  const control = { ...constantControls(losses, doc, resamples), ...options.control };
  const { clean, dictionary } = losses;
  const documents = targets(clean, doc, resamples.documents);
  const common = {
    chosen_on: null,
    judged_on: "eval" as const,
    n: documents.reduce((sum, n) => sum + n, 0),
    n_documents: documents.reduce((sum, n) => sum + (n > 0 ? 1 : 0), 0),
    n_tried: 1,
    seeds: [seed],
  };
  const rivals = Object.entries(losses.rivals ?? {}) as [BaselineKind, Float32Array][];
  const baselines = rivals.map(
    ([kind, ce]): Baseline => ({ ...meanDifference(ce, clean, doc, resamples), kind, unit: null }),
  );
  const at = `at L0 ${L0.toFixed(1)}`;
  const dCE = claim({
    ...common,
    id: "dictionary/dCE",
    statement: `nats a token that the dictionary costs, ${at}`,
    metric: "dCE",
    better: "lower",
    estimate: meanDifference(dictionary, clean, doc, resamples),
    control: control.dCE ?? null,
    baselines,
    margin: 0,
  });
  const recovery = (metric: "CE_recovered" | "CE_recovered_mean"): Claim | null => {
    const ablated = metric === "CE_recovered" ? losses.zero : losses.mean;
    if (ablated === undefined) return null;
    return claim({
      ...common,
      id: `dictionary/${metric}`,
      statement: `loss recovered, ${metric === "CE_recovered" ? "zero" : "mean"} ablation, ${at}`,
      metric,
      better: "higher",
      estimate: recovered(ablated, losses, doc, resamples),
      control: control[metric] ?? null,
      baselines: rivals.map(
        ([kind, ce]): Baseline => ({
          ...recovered(ablated, { clean, dictionary: ce }, doc, resamples),
          kind,
          unit: null,
        }),
      ),
      margin: 0,
    });
  };
  return {
    dCE,
    half_of_data_points: halfOfDataPoints(losses, options, common),
    CE_recovered: recovery("CE_recovered"),
    CE_recovered_mean: recovery("CE_recovered_mean"),
  };
}

/** The untrained dictionary is the control here: the claim holds where its interval is clear of one half. */
function halfOfDataPoints(
  losses: LossArrays,
  { doc, resamples, L0 }: LossOptions,
  common: Pick<Claim, "chosen_on" | "judged_on" | "n" | "n_documents" | "n_tried" | "seeds">,
): Claim | null {
  const points = losses.rivals?.["data-points"];
  if (points === undefined) return null;
  const { documents } = resamples;
  const sums = [
    differenceSums(losses.dictionary, losses.clean, doc, documents),
    differenceSums(points, losses.clean, doc, documents),
  ];
  return claim({
    ...common,
    id: "dictionary/dCE_over_data_points",
    statement: `ΔCE as a share of the untrained data points', at L0 ${L0.toFixed(1)}`,
    metric: "dCE_over_data_points",
    better: "lower",
    estimate: bootstrapInterval(sums, ([own, theirs]) => own! / theirs!, resamples),
    control: { value: 0.5, low: 0.5, high: 0.5, kind: "constant", draws: 1 },
    baselines: [],
    margin: 0,
  });
}
