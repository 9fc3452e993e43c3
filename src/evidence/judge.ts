// Chosen on select, judged on eval: the best unit of every context, with all its figures.
import { type Random, random } from "../base/random.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { bestThreshold, type Column, equalBands, quantileBands, type ShareBand } from "./bands.ts";
import {
  type Product,
  plainProduct,
  type Resamples,
  resampleDocuments,
  resampledSums,
} from "./bootstrap.ts";
import {
  type Correlations,
  columnMoments,
  correlations,
  type Moments,
  type TokenSums,
  tokenMeans,
} from "./correlate.ts";
import {
  drawUnits,
  type Judged,
  type PairFigures,
  pairFigures,
  type Shared,
  sharedSums,
  sharedTotals,
  type TokenCells,
  tokenCells,
  tokenTimes,
} from "./document-sums.ts";
import {
  fitTokens,
  type LabelledTokens,
  type LabelSums,
  labelSums,
  type TokenFit,
} from "./labels.ts";

/** The two splits that figures are chosen and judged on, with all that depends on labels only. */
export interface Ground {
  readonly select: LabelledTokens;
  readonly eval: LabelledTokens;
  readonly fit: TokenFit;
  readonly selectSums: LabelSums;
  readonly evalSums: LabelSums;
  readonly cells: TokenCells;
  readonly resamples: Resamples;
  readonly shared: Shared;
  /** How often each fitted id occurs in each draw. [d_vocab, draws] */
  readonly tokenTimes: Float32Array;
  readonly product: Product;
  /** Contexts with enough tokens and documents on both splits. */
  readonly contexts: readonly number[];
}

/** `contexts` narrows what is claimed about (names); by default all that have the tokens for it. */
export async function layGround(
  select: LabelledTokens,
  judged: LabelledTokens,
  options: {
    contexts?: readonly string[];
    min?: number;
    min_tokens?: number;
    min_documents?: number;
    draws?: number;
    rng?: Random;
    product?: Product;
    d_vocab?: number;
  } = {},
): Promise<Ground> {
  const { min_tokens = 50, min_documents = 2, rng = random(0), product = plainProduct } = options;
  const fit = fitTokens(select, { min: options.min, d_vocab: options.d_vocab });
  const selectSums = labelSums(select, fit);
  const evalSums = labelSums(judged, fit);
  const enough = (sums: LabelSums, c: number): boolean =>
    sums.n_context[c]! >= min_tokens && sums.documents_of[c]! >= min_documents;
  const contexts = select.contexts
    .map((_, c) => c)
    .filter((c) => options.contexts?.includes(select.contexts[c]!) ?? true)
    .filter((c) => enough(selectSums, c) && enough(evalSums, c));
  const present = new Uint8Array(judged.documents.length);
  for (let t = 0; t < judged.doc.length; t++) present[judged.doc[t]!] = 1;
  const resamples = resampleDocuments(present, rng.stream("documents"), { draws: options.draws });
  const rows = 2 + 3 * fit.n_contexts;
  const sums = sharedSums(judged, fit, resamples);
  const shared = {
    total: sharedTotals(sums, resamples.groups.n),
    drawn: await resampledSums(sums, rows, resamples, product),
  };
  const cells = tokenCells(judged, fit, resamples);
  return {
    select,
    eval: judged,
    fit,
    selectSums,
    evalSums,
    cells,
    resamples,
    shared,
    tokenTimes: await tokenTimes(cells, resamples, fit.d_vocab, product),
    product,
    contexts,
  };
}

/** A set of units after *select*: what is known before eval is looked at. */
export interface Chosen {
  readonly means: TokenSums;
  readonly select: Correlations;
  /** Best unit of each context by correlation given the token; −1 when none rises above zero. */
  readonly best: Int32Array;
  readonly n_tried: number;
}

/** `tried` limits the choice, so that both sides of a comparison try the same number of units. */
export function chooseUnits(
  moments: Moments,
  ground: Pick<Ground, "fit" | "selectSums">,
  { tried }: { tried?: readonly number[] } = {},
): Chosen {
  const means = tokenMeans(moments, ground.fit);
  const select = correlations(moments, ground.selectSums, ground.fit, means);
  const C = ground.fit.n_contexts;
  const units = tried ?? Array.from({ length: moments.units }, (_, u) => u);
  const best = new Int32Array(C).fill(-1);
  for (let c = 0; c < C; c++) {
    let top = 0;
    for (const u of units) {
      const r = select.r_given_token[u * C + c]!;
      if (r > top) {
        top = r;
        best[c] = u;
      }
    }
  }
  return { means, select, best, n_tried: units.length };
}

export interface ContextFigure extends PairFigures {
  context: string;
  unit: number;
  /** On select, where it was chosen. */
  selected: number;
  /** Firing means an activation of at least this: best F1 on select. */
  threshold: number;
  peak: number;
  n: number;
  n_documents: number;
  n_tried: number;
  bands: ShareBand[];
  quantile_bands: ShareBand[];
}

/** A set of units as both splits saw it. */
export interface UnitPair {
  readonly select: FeatureColumns;
  readonly eval: FeatureColumns;
}

export function columnOf(columns: FeatureColumns, unit: number): Column {
  const from = columns.offsets[unit]!;
  const to = columns.offsets[unit + 1]!;
  return { token: columns.token.subarray(from, to), value: columns.value.subarray(from, to) };
}

/** Thresholds that must be fixed while the columns of select are at hand. [contexts]; 0 where none. */
export function chooseThresholds(
  select: FeatureColumns,
  chosen: Chosen,
  ground: Ground,
): Float64Array {
  return Float64Array.from(chosen.best, (unit, c) =>
    unit < 0
      ? 0
      : bestThreshold(
          columnOf(select, unit),
          (t) => ground.select.context[t] === c,
          ground.selectSums.n_context[c]!,
        ),
  );
}

/** All figures of each context's best unit, on eval. */
export async function judgeChosen(
  judged: FeatureColumns,
  chosen: Chosen,
  thresholds: Float64Array,
  ground: Ground,
): Promise<ContextFigure[]> {
  const figures: ContextFigure[] = [];
  for (const c of ground.contexts) {
    const unit = chosen.best[c]!;
    if (unit < 0) continue;
    const column = columnOf(judged, unit);
    const pair = { context: c, threshold: thresholds[c]! };
    const inside = (t: number): boolean => ground.eval.context[t] === c;
    figures.push({
      context: ground.eval.contexts[c]!,
      unit,
      selected: chosen.select.r_given_token[unit * ground.fit.n_contexts + c]!,
      threshold: pair.threshold,
      peak: column.value.reduce((top, a) => Math.max(top, a), 0),
      n: ground.evalSums.n_context[c]!,
      n_documents: ground.evalSums.documents_of[c]!,
      n_tried: chosen.n_tried,
      ...(await judgeUnit(column, unit, [pair], chosen.means, ground))[0]!,
      bands: equalBands(column, inside),
      quantile_bands: quantileBands(column, inside),
    });
  }
  return figures;
}

/** Figures of one unit with the given contexts. */
export async function judgeUnit(
  column: Column,
  unit: number,
  judged: readonly Judged[],
  means: TokenSums,
  ground: Ground,
): Promise<PairFigures[]> {
  // One unit is mostly zeros, which the plain product skips.
  const drawn = await drawUnits(
    [column],
    [judged],
    { of: means, units: [unit] },
    ground,
    plainProduct,
  );
  return judged.map(({ context }, j) =>
    pairFigures(drawn, 0, j, context, ground.shared, ground.resamples.draws),
  );
}

/** The whole procedure for one set of units: the dictionary, its control, neurons, random directions. */
export async function measureContexts(
  units: UnitPair,
  ground: Ground,
  options: { tried?: readonly number[] } = {},
): Promise<ContextFigure[]> {
  const chosen = chooseUnits(
    columnMoments(units.select, ground.select, ground.fit),
    ground,
    options,
  );
  const thresholds = chooseThresholds(units.select, chosen, ground);
  return judgeChosen(units.eval, chosen, thresholds, ground);
}
