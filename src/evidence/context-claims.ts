// Which contexts have a feature of their own? Each claim with its control, its rivals and its bands.
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { aurocInterval } from "./auroc.ts";
import { type Baseline, type Claim, claim, type Estimate } from "./claim.ts";
import type { ControlFigures } from "./control.ts";
import { type ContextFigure, columnOf, type Ground } from "./judge.ts";
import { tokenTableCorrelation } from "./labels.ts";

/** The best neuron (or other rival unit) of a context, by the same procedure. */
export interface Rival {
  unit: number;
  r: number;
  r_given_token: number;
}

/** All that is known about a context; the keys that a job prints are among them. */
export interface ContextSummary {
  context: string;
  feature: number;
  r: Claim;
  r_given_token: Claim;
  precision: Claim;
  recall: Claim;
  token_table_r: number;
  figure: ContextFigure;
}

export interface ContextRivals {
  /** By name of context. */
  neurons?: Readonly<Record<string, Rival | null | undefined>>;
  layerWide?: readonly ContextFigure[];
  /** As many random directions with the same L0, chosen and judged alike. */
  random?: readonly ContextFigure[];
  /** Correlation of a supervised linear probe's score: a ceiling, never a rival. */
  probe?: Readonly<Record<string, Estimate | undefined>>;
}

/** Holds: 0.25 above the control's and at least the best neuron's, by correlation given the token. */
export const contextMargin = 0.25;

export function contextClaims(
  figures: readonly ContextFigure[],
  ground: Ground,
  options: { control?: ControlFigures; rivals?: ContextRivals; seed?: number } = {},
): ContextSummary[] {
  const { control, rivals = {}, seed = 0 } = options;
  const table = tokenTableCorrelation(ground.eval, ground.fit);
  return figures.map((figure) => {
    const { context, unit } = figure;
    const token_table_r = table[ground.eval.contexts.indexOf(context)]!;
    const make = (
      key: "r" | "r_given_token" | "precision" | "recall",
      statement: string,
      margin: number,
    ): Claim =>
      claim({
        id: `context/${context}/${key}`,
        statement,
        metric: key,
        better: "higher",
        estimate: figure[key],
        control: control?.contexts[context]?.figures[key] ?? null,
        baselines: baselines(key, context, rivals, token_table_r),
        chosen_on: "select",
        judged_on: "eval",
        n: key === "r_given_token" ? ground.evalSums.n_fitted : ground.evalSums.n,
        n_documents: ground.evalSums.n_documents,
        n_tried: figure.n_tried,
        margin,
        seeds: [seed],
      });
    return {
      context,
      feature: unit,
      r: make("r", `feature ${unit} correlates with ${context}`, contextMargin),
      r_given_token: make(
        "r_given_token",
        `feature ${unit} correlates with ${context}, given the token`,
        contextMargin,
      ),
      precision: make("precision", `feature ${unit} fires inside ${context}`, 0.1),
      recall: make("recall", `${context} makes feature ${unit} fire`, 0.1),
      token_table_r,
      figure,
    };
  });
}

function baselines(
  key: "r" | "r_given_token" | "precision" | "recall",
  context: string,
  rivals: ContextRivals,
  token_table_r: number,
): Baseline[] {
  if (key === "precision" || key === "recall") return [];
  const open = { low: null, high: null };
  const list: Baseline[] = [];
  const neuron = rivals.neurons?.[context];
  if (neuron) list.push({ value: neuron[key], ...open, kind: "best-neuron", unit: neuron.unit });
  for (const [kind, figures] of [
    ["layer-wide-dictionary", rivals.layerWide],
    ["random-directions", rivals.random],
  ] as const) {
    const found = figures?.find((figure) => figure.context === context);
    if (found) list.push({ ...found[key], kind, unit: found.unit });
  }
  const probe = rivals.probe?.[context];
  if (key === "r_given_token" && probe) list.push({ ...probe, kind: "linear-probe", unit: null });
  if (key === "r") list.push({ value: token_table_r, ...open, kind: "token-table", unit: null });
  return list;
}

/** What a job prints for a context: figures only. */
export function contextFigures(summary: ContextSummary): {
  feature: number;
  r: number;
  r_given_token: number;
  neuron_r_given_token: number | null;
  control_r_given_token: number | null;
  token_table_r: number;
  precision: number;
  recall: number;
  verdict: Claim["verdict"];
  interval: [number | null, number | null];
  bands: ContextFigure["bands"];
  quantile_bands: ContextFigure["quantile_bands"];
} {
  const { r_given_token } = summary;
  const neuron = r_given_token.baselines.find((b) => b.kind === "best-neuron");
  return {
    feature: summary.feature,
    r: summary.r.estimate.value,
    r_given_token: r_given_token.estimate.value,
    neuron_r_given_token: neuron?.value ?? null,
    control_r_given_token: r_given_token.control?.value ?? null,
    token_table_r: summary.token_table_r,
    precision: summary.precision.estimate.value,
    recall: summary.recall.estimate.value,
    verdict: r_given_token.verdict,
    interval: [r_given_token.estimate.low, r_given_token.estimate.high],
    bands: summary.figure.bands,
    quantile_bands: summary.figure.quantile_bands,
  };
}

/**
 * Do the features of these contexts tell them apart? For each ordered pair (own, other), the AUROC of own's
 * feature between tokens of its context and of the other, on eval. One feature that serves two contexts
 * tells nothing apart: then `distinct` is false.
 */
export function discrimination(
  columns: FeatureColumns,
  summaries: readonly Pick<ContextSummary, "context" | "feature">[],
  ground: Ground,
): {
  distinct: boolean;
  pairs: { own: string; other: string; feature: number; auroc: Estimate }[];
} {
  const { eval: split, resamples } = ground;
  const pairs = summaries.flatMap(({ context: own, feature }) => {
    const acts = new Float32Array(split.tokens.length);
    const column = columnOf(columns, feature);
    column.token.forEach((t, i) => {
      acts[t] = column.value[i]!;
    });
    return summaries
      .filter((other) => other.context !== own)
      .map(({ context: other }) => {
        const a = split.contexts.indexOf(own);
        const b = split.contexts.indexOf(other);
        const at = [...split.context.keys()].filter(
          (t) => split.context[t] === a || split.context[t] === b,
        );
        const auroc = aurocInterval(
          at.map((t) => acts[t]!),
          at.map((t) => (split.context[t] === a ? 1 : 0)),
          at.map((t) => split.doc[t]!),
          resamples,
        );
        return { own, other, feature, auroc };
      });
  });
  const distinct = new Set(summaries.map((s) => s.feature)).size === summaries.length;
  return { distinct, pairs };
}
