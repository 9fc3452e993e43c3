// What would units find that were never trained, or never chosen: random directions, features of equal density.
import { random } from "../base/random.ts";
import { type Dictionary, makeDictionary, transposed } from "../dictionaries/dictionary.ts";
import { columnMoments } from "../evidence/correlate.ts";
import {
  type ContextFigure,
  chooseUnits,
  columnOf,
  judgeUnit,
  measureContexts,
  type UnitPair,
} from "../evidence/judge.ts";
import { densityMatched, randomDirections } from "../evidence/nulls.ts";
import type { JobContext } from "./events.ts";
import type { Study } from "./study.ts";
import { unitPair } from "./units.ts";

/** By context: r given the token. */
type Table = Record<string, number>;

/** As many random directions as the dictionary has features, the k strongest of a token kept: chosen and judged alike. */
export async function randomDirectionFigures(
  study: Study,
  dictionary: Dictionary,
  seed: number,
  context: JobContext,
): Promise<ContextFigure[]> {
  const { d_in, d_sae } = dictionary;
  const W_dec = randomDirections(d_sae, d_in, random(seed).stream("random-directions"));
  const directions = makeDictionary({
    ...dictionary,
    W_enc: transposed(W_dec, d_sae, d_in),
    b_enc: new Float32Array(d_sae),
    W_dec,
  });
  return measureContexts(await unitPair(study, directions, {}, context), study.ground);
}

/** Other features of the dictionary that fire as often as the chosen one: the mean of `draws` for each context. */
export async function densityMatchedFigures(
  { ground }: Study,
  units: UnitPair,
  figures: readonly ContextFigure[],
  seed: number,
  { draws = 16 }: { draws?: number } = {},
): Promise<Table> {
  const rng = random(seed).stream("density-matched");
  const { means } = chooseUnits(columnMoments(units.select, ground.select, ground.fit), ground);
  const table: Table = {};
  for (const { context, unit } of figures) {
    const pair = { context: ground.eval.contexts.indexOf(context), threshold: 0 };
    const others = densityMatched(new Array(draws).fill(unit), units.eval, rng, { among: 64 });
    const found: number[] = [];
    for (const other of others) {
      const column = columnOf(units.eval, other);
      const [judged] = await judgeUnit(column, other, [pair], means, ground);
      found.push(judged!.r_given_token.value);
    }
    table[context] = found.reduce((sum, r) => sum + r, 0) / found.length;
  }
  return table;
}
