// What is known about all features at once, before any page is written: contexts, thresholds, rivals.
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { bestThreshold } from "../evidence/bands.ts";
import { columnMoments, correlations, type Moments } from "../evidence/correlate.ts";
import type { Judged } from "../evidence/document-sums.ts";
import { type Chosen, chooseUnits, columnOf, type Ground } from "../evidence/judge.ts";
import { tokenTableCorrelation } from "../evidence/labels.ts";
import type { NeuronFigure } from "./readings.ts";

export interface SelectSurvey {
  chosen: Chosen;
  /** Per feature: the contexts it is judged with, best first, and the threshold of each. */
  judged: Judged[][];
}

/** Everything that is chosen; the columns of select can be let go afterwards. */
export function surveySelect(
  select: FeatureColumns,
  ground: Ground,
  { perFeature = 4 }: { perFeature?: number } = {},
): SelectSurvey {
  const chosen = chooseUnits(columnMoments(select, ground.select, ground.fit), ground);
  const C = ground.fit.n_contexts;
  const { context } = ground.select;
  const r = chosen.select.r_given_token;
  const judged = Array.from({ length: select.d_sae }, (_, feature) => {
    const at = feature * C;
    const best = ground.contexts
      .filter((c) => r[at + c]! > 0)
      .sort((a, b) => r[at + b]! - r[at + a]!)
      .slice(0, perFeature);
    const column = columnOf(select, feature);
    return best.map((c) => ({
      context: c,
      threshold: bestThreshold(column, (t) => context[t] === c, ground.selectSums.n_context[c]!),
    }));
  });
  return { chosen, judged };
}

/** The best neuron of each context: chosen on select, judged on eval. By index of context. */
export function neuronFigures(
  select: Moments,
  judged: Moments,
  ground: Ground,
): (NeuronFigure | null)[] {
  const chosen = chooseUnits(select, ground);
  const there = correlations(judged, ground.evalSums, ground.fit, chosen.means);
  return Array.from(chosen.best, (unit, c) => {
    if (unit < 0) return null;
    const at = unit * ground.fit.n_contexts + c;
    return { unit, r: there.r[at]!, r_given_token: there.r_given_token[at]! };
  });
}

export function tokenTable(ground: Ground): Float64Array {
  return tokenTableCorrelation(ground.eval, ground.fit);
}
