// Which contexts does each feature fire in, with every interval? Block by block over all features.

import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { type Product, resampledSums } from "../evidence/bootstrap.ts";
import type { Estimate } from "../evidence/claim.ts";
import {
  clearMeans,
  contextRows,
  densityEstimate,
  documentSums,
  pairFigures,
  spreadMeans,
  totals,
  unitRows,
} from "../evidence/document-sums.ts";
import { columnOf, type Ground } from "../evidence/judge.ts";
import type { NeuronFigure, ReadingFacts } from "./readings.ts";
import type { SelectSurvey } from "./survey.ts";

export interface JudgeWorld {
  ground: Ground;
  columns: FeatureColumns;
  survey: SelectSurvey;
  neurons: (NeuronFigure | null)[];
  tokenTable: Float64Array;
  product: Product;
  seed: number;
}

export interface Judgement {
  density: Estimate;
  /** Best context first. */
  readings: ReadingFacts[];
}

/** The features [from, to): per-document sums of the block, then one product with the resamples. */
export async function judgeBlock(
  world: JudgeWorld,
  from: number,
  to: number,
): Promise<Judgement[]> {
  const { ground, survey, columns } = world;
  const D = ground.resamples.documents;
  const perFeature = survey.judged.reduce((most, j) => Math.max(most, j.length), 0);
  const rows = unitRows + contextRows * perFeature;
  const sums = new Float32Array((to - from) * rows * D);
  const mean = new Float64Array(ground.fit.d_vocab);
  const parts = { split: ground.eval, fit: ground.fit, cells: ground.cells };
  for (let f = from; f < to; f++) {
    const support = spreadMeans(survey.chosen.means, f, mean);
    const at = (f - from) * rows;
    documentSums(columnOf(columns, f), survey.judged[f]!, parts, { mean, support }, sums, at);
    clearMeans(support, mean);
  }
  const drawn = await resampledSums(sums, (to - from) * rows, ground.resamples, world.product);
  const total = totals(sums, (to - from) * rows, D);
  const { draws } = ground.resamples;
  return Array.from({ length: to - from }, (_, i) => {
    const unit = { total, drawn, from: i * rows };
    return {
      density: densityEstimate(unit, ground.shared, draws),
      readings: survey.judged[from + i]!.map(({ context, threshold }, j): ReadingFacts => {
        return {
          feature: from + i,
          context: ground.eval.contexts[context]!,
          threshold,
          figures: pairFigures(unit, ground.shared, j, context, draws),
          n: ground.evalSums.n_context[context]!,
          n_documents: ground.evalSums.n_documents,
          n_tokens: ground.evalSums.n,
          n_fitted: ground.evalSums.n_fitted,
          n_contexts: ground.contexts.length,
          neuron: world.neurons[context] ?? null,
          tokenTable: world.tokenTable[context]!,
          seed: world.seed,
        };
      }),
    };
  });
}
