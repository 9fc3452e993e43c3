// A feature's figures with a context, as claims that carry their control and their rivals.
import { type Claim, claim, type Estimate } from "../evidence/claim.ts";
import type { ControlFigures, PairKey } from "../evidence/control.ts";
import type { PairFigures } from "../evidence/document-sums.ts";
import { activation } from "./format.ts";
import { rounded } from "./histograms.ts";
import type { ContextReading } from "./page.ts";

/** How far a figure must rise above its control's. */
export const margins: Record<PairKey, number> = {
  r: 0.25,
  r_given_token: 0.25,
  precision: 0.1,
  recall: 0.1,
  weight: 0.1,
};

/** Best neuron by context (chosen on select), as judged on eval. */
export interface NeuronFigure {
  unit: number;
  r: number;
  r_given_token: number;
}

export interface ReadingFacts {
  feature: number;
  context: string;
  threshold: number;
  figures: PairFigures;
  n: number;
  n_documents: number;
  n_tokens: number;
  n_fitted: number;
  n_contexts: number;
  neuron: NeuronFigure | null;
  tokenTable: number;
  seed: number;
}

export function contextReading(
  facts: ReadingFacts,
  control: ControlFigures | undefined,
): ContextReading {
  const of = (key: PairKey): Claim => pairClaim(key, facts, control);
  return {
    context: facts.context,
    n: facts.n,
    r: of("r"),
    r_given_token: of("r_given_token"),
    precision: of("precision"),
    recall: of("recall"),
    threshold: rounded(facts.threshold),
  };
}

export function pairClaim(
  key: PairKey,
  facts: ReadingFacts,
  control: ControlFigures | undefined,
): Claim {
  const { context, feature, neuron } = facts;
  const statements: Record<PairKey, string> = {
    r: `correlation with ${context}`,
    r_given_token: `correlation with ${context}, given the token`,
    precision: `share in ${context} of tokens from ${activation(facts.threshold)} up`,
    recall: `share of ${context} where it reaches ${activation(facts.threshold)}`,
    weight: `share of its activation in ${context}`,
  };
  const baselines: Claim["baselines"] = [];
  if ((key === "r" || key === "r_given_token") && neuron !== null)
    baselines.push({
      value: rounded(neuron[key]),
      low: null,
      high: null,
      kind: "best-neuron",
      unit: neuron.unit,
    });
  if (key === "r")
    baselines.push({
      value: rounded(facts.tokenTable),
      low: null,
      high: null,
      kind: "token-table",
      unit: null,
    });
  return claim({
    id: `feature/${feature}/${context}/${key}`,
    statement: statements[key],
    metric: key,
    better: "higher",
    estimate: roundedEstimate(facts.figures[key]),
    control: control?.contexts[context]?.figures[key] ?? null,
    baselines,
    chosen_on: "select",
    judged_on: "eval",
    n: key === "r_given_token" ? facts.n_fitted : facts.n_tokens,
    n_documents: facts.n_documents,
    n_tried: facts.n_contexts,
    margin: margins[key],
    seeds: [facts.seed],
  });
}

export function roundedEstimate({ value, low, high }: Estimate): Estimate {
  return {
    value: rounded(value),
    low: low === null ? null : rounded(low),
    high: high === null ? null : rounded(high),
  };
}
