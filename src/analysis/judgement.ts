// Which contexts does each feature fire in, with every interval? Block by block over all features.
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import type { Product } from "../evidence/bootstrap.ts";
import type { Estimate } from "../evidence/claim.ts";
import { densityEstimate, drawUnits, pairFigures } from "../evidence/document-sums.ts";
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
  const units = Array.from({ length: to - from }, (_, i) => from + i);
  const drawn = await drawUnits(
    units.map((f) => columnOf(columns, f)),
    units.map((f) => survey.judged[f]!),
    { of: survey.chosen.means, units },
    ground,
    world.product,
  );
  const { draws } = ground.resamples;
  return units.map((feature, i) => {
    return {
      density: densityEstimate(drawn, i, ground.shared, draws),
      readings: survey.judged[feature]!.map(({ context, threshold }, j): ReadingFacts => {
        return {
          feature,
          context: ground.eval.contexts[context]!,
          threshold,
          figures: pairFigures(drawn, i, j, context, ground.shared, draws),
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
