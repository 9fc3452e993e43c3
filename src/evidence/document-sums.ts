// What each document adds to the figures of a unit: the sufficient statistics that are resampled.
import type { Column } from "./bands.ts";
import { percentileInterval } from "./bootstrap.ts";
import type { Estimate } from "./claim.ts";
import type { TokenSums } from "./correlate.ts";
import { isFitted, type LabelledTokens, pearson, type TokenFit } from "./labels.ts";

/** Occurrences of fitted ids, grouped: token v owns cells start[v] … start[v + 1]. */
export interface TokenCells {
  readonly start: Uint32Array;
  readonly doc: Int32Array;
  readonly context: Uint16Array;
  readonly n: Float32Array;
}

export function tokenCells(split: LabelledTokens, fit: TokenFit): TokenCells {
  const { tokens, context, doc } = split;
  const at = new Uint32Array(fit.d_vocab + 1);
  for (let t = 0; t < tokens.length; t++) if (isFitted(fit, tokens[t]!)) at[tokens[t]! + 1]!++;
  for (let v = 0; v < fit.d_vocab; v++) at[v + 1]! += at[v]!;
  const place = at.slice();
  const ordered = new Uint32Array(at[fit.d_vocab]!);
  for (let t = 0; t < tokens.length; t++)
    if (isFitted(fit, tokens[t]!)) ordered[place[tokens[t]!]!++] = t;
  const start = new Uint32Array(fit.d_vocab + 1);
  const cellDoc = new Int32Array(ordered.length);
  const cellContext = new Uint16Array(ordered.length);
  const n = new Float32Array(ordered.length);
  let cells = 0;
  for (let v = 0; v < fit.d_vocab; v++) {
    for (let i = at[v]!; i < at[v + 1]!; i++) {
      const t = ordered[i]!;
      const last = cells - 1;
      if (last >= start[v]! && cellDoc[last] === doc[t] && cellContext[last] === context[t])
        n[last]!++;
      else {
        cellDoc[cells] = doc[t]!;
        cellContext[cells] = context[t]!;
        n[cells++] = 1;
      }
    }
    start[v + 1] = cells;
  }
  return {
    start,
    doc: cellDoc.slice(0, cells),
    context: cellContext.slice(0, cells),
    n: n.slice(0, cells),
  };
}

/** One context that a unit is judged on, and the activation from which it counts as firing. */
export interface Judged {
  readonly context: number;
  readonly threshold: number;
}

/** Rows per unit: [a′, a′², a, a², fires], then per judged context [a′y′, ay, hits, calls]. */
export const unitRows = 5;
export const contextRows = 4;

/**
 * Per-document sums of one unit, written to `out` ([rows, documents], zeroed) from row `at`. `means` are
 * the unit's per-token means of select, spread over the vocabulary ([d_vocab], zero elsewhere), and
 * `support` lists where they are not zero.
 */
export function documentSums(
  column: Column,
  judged: readonly Judged[],
  world: { split: LabelledTokens; fit: TokenFit; cells: TokenCells },
  means: { mean: Float64Array; support: Uint32Array },
  out: Float32Array,
  at = 0,
): void {
  const { split, fit, cells } = world;
  const { tokens, context, doc } = split;
  const D = split.documents.length;
  const C = fit.n_contexts;
  const { mean, support } = means;
  const row = (k: number): number => (at + k) * D;
  const A = row(0);
  const AA = row(1);
  const S = row(2);
  const SS = row(3);
  const F = row(4);
  const J = judged.length;
  for (let i = 0; i < column.token.length; i++) {
    const t = column.token[i]!;
    const a = column.value[i]!;
    const d = doc[t]!;
    const c = context[t]!;
    const v = tokens[t]!;
    const fitted = isFitted(fit, v);
    out[S + d]! += a;
    out[SS + d]! += a * a;
    out[F + d]!++;
    if (fitted) {
      out[A + d]! += a;
      out[AA + d]! += a * a - 2 * mean[v]! * a;
    }
    for (let j = 0; j < J; j++) {
      const from = row(unitRows + j * contextRows) + d;
      const inside = judged[j]!.context === c;
      if (fitted) out[from]! += a * ((inside ? 1 : 0) - fit.label[v * C + judged[j]!.context]!);
      if (inside) out[from + D]! += a;
      if (a < judged[j]!.threshold) continue;
      if (inside) out[from + 2 * D]!++;
      out[from + 3 * D]!++;
    }
  }
  // a′ = a − m is not zero where the unit is silent: the rest of each sum comes from token counts.
  for (let s = 0; s < support.length; s++) {
    const v = support[s]!;
    const m = mean[v]!;
    const first = cells.start[v]!;
    const end = cells.start[v + 1]!;
    for (let i = first; i < end; i++) {
      const mn = m * cells.n[i]!;
      const d = cells.doc[i]!;
      out[A + d]! -= mn;
      out[AA + d]! += m * mn;
    }
    for (let j = 0; j < J; j++) {
      const from = row(unitRows + j * contextRows);
      const c = judged[j]!.context;
      const p = fit.label[v * C + c]!;
      for (let i = first; i < end; i++) {
        const y = cells.context[i] === c ? 1 - p : -p;
        if (y !== 0) out[from + cells.doc[i]!]! -= m * cells.n[i]! * y;
      }
    }
  }
}

/** Rows shared by all units: [n, n fitted], then per context [y, y′, y′²]. */
export function sharedSums(split: LabelledTokens, fit: TokenFit): Float32Array {
  const D = split.documents.length;
  const C = fit.n_contexts;
  const out = new Float64Array((2 + 3 * C) * D);
  const { tokens, context, doc } = split;
  for (let t = 0; t < tokens.length; t++) {
    const d = doc[t]!;
    const v = tokens[t]!;
    out[d]!++;
    out[(2 + 3 * context[t]!) * D + d]!++;
    if (!isFitted(fit, v)) continue;
    out[D + d]!++;
    for (let c = 0; c < C; c++) {
      const y = (c === context[t] ? 1 : 0) - fit.label[v * C + c]!;
      out[(3 + 3 * c) * D + d]! += y;
      out[(4 + 3 * c) * D + d]! += y * y;
    }
  }
  return Float32Array.from(out);
}

/** The figures of one unit with one context, each with its interval over documents. */
export interface PairFigures {
  r: Estimate;
  r_given_token: Estimate;
  precision: Estimate;
  recall: Estimate;
  /** Share of the unit's summed activation that lies inside the context. */
  weight: Estimate;
}

/** `unit` and `shared` are [rows, draws] as resampled, and [rows] in all (draw −1 is the sample itself). */
export interface Drawn {
  readonly total: Float64Array;
  readonly drawn: Float32Array;
  readonly from: number;
}

export function totals(sums: Float32Array, rows: number, documents: number): Float64Array {
  const out = new Float64Array(rows);
  for (let k = 0; k < rows; k++)
    for (let d = 0; d < documents; d++) out[k]! += sums[k * documents + d]!;
  return out;
}

export function pairFigures(
  unit: Drawn,
  shared: Drawn,
  j: number,
  context: number,
  draws: number,
): PairFigures {
  const of = (from: Drawn, k: number, b: number): number =>
    b < 0 ? from.total[from.from + k]! : from.drawn[(from.from + k) * draws + b]!;
  const at = unitRows + j * contextRows;
  const y = 2 + 3 * context;
  const estimate = (statistic: (b: number) => number): Estimate =>
    percentileInterval(statistic(-1), draws, statistic);
  return {
    r: estimate((b) =>
      pearson(
        of(shared, 0, b),
        of(unit, 2, b),
        of(unit, 3, b),
        of(shared, y, b),
        of(shared, y, b),
        of(unit, at + 1, b),
      ),
    ),
    r_given_token: estimate((b) =>
      pearson(
        of(shared, 1, b),
        of(unit, 0, b),
        of(unit, 1, b),
        of(shared, y + 1, b),
        of(shared, y + 2, b),
        of(unit, at, b),
      ),
    ),
    precision: estimate((b) => of(unit, at + 2, b) / of(unit, at + 3, b)),
    recall: estimate((b) => of(unit, at + 2, b) / of(shared, y, b)),
    weight: estimate((b) => of(unit, at + 1, b) / of(unit, 2, b)),
  };
}

/** Density of one unit with its interval. */
export function densityEstimate(unit: Drawn, shared: Drawn, draws: number): Estimate {
  return percentileInterval(
    unit.total[unit.from + 4]! / shared.total[shared.from]!,
    draws,
    (b) => unit.drawn[(unit.from + 4) * draws + b]! / shared.drawn[shared.from * draws + b]!,
  );
}

/** Spreads one unit's token means over the vocabulary; call the result when done to clean up. */
export function spreadMeans(means: TokenSums, unit: number, mean: Float64Array): Uint32Array {
  const from = means.offsets[unit]!;
  const support = means.token.subarray(from, means.offsets[unit + 1]!);
  for (let i = 0; i < support.length; i++) mean[support[i]!] = means.sum[from + i]!;
  return support;
}

export function clearMeans(support: Uint32Array, mean: Float64Array): void {
  for (let i = 0; i < support.length; i++) mean[support[i]!] = 0;
}
