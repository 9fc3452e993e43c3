// What each group of documents adds to a unit's figures: the sufficient statistics that are resampled.
import type { Column } from "./bands.ts";
import { type Product, percentileInterval, type Resamples, resampledSums } from "./bootstrap.ts";
import type { Estimate } from "./claim.ts";
import type { TokenSums } from "./correlate.ts";
import { isFitted, type LabelledTokens, type LabelSums, pearson, type TokenFit } from "./labels.ts";

/** Occurrences of fitted ids, counted per (context, token, group of documents), by context. */
export interface TokenCells {
  /** Context c owns cells start[c] … start[c + 1]. */
  readonly start: Uint32Array;
  readonly token: Uint32Array;
  readonly group: Int32Array;
  readonly n: Float32Array;
}

export function tokenCells(
  split: LabelledTokens,
  fit: TokenFit,
  { groups }: Resamples,
): TokenCells {
  const { tokens, context, doc } = split;
  const counts = new Map<number, number>();
  const V = fit.d_vocab;
  const G = groups.n;
  for (let t = 0; t < tokens.length; t++) {
    if (!isFitted(fit, tokens[t]!)) continue;
    const key = (context[t]! * G + groups.of[doc[t]!]!) * V + tokens[t]!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const keys = Float64Array.from(counts.keys()).sort();
  const start = new Uint32Array(fit.n_contexts + 1);
  const cells = {
    token: new Uint32Array(keys.length),
    group: new Int32Array(keys.length),
    n: new Float32Array(keys.length),
  };
  for (let i = 0; i < keys.length; i++) {
    const pair = Math.floor(keys[i]! / V);
    cells.token[i] = keys[i]! % V;
    cells.group[i] = pair % G;
    cells.n[i] = counts.get(keys[i]!)!;
    start[Math.floor(pair / G) + 1]!++;
  }
  for (let c = 0; c < fit.n_contexts; c++) start[c + 1]! += start[c]!;
  return { start, ...cells };
}

/** How often each fitted id occurs in each draw. [d_vocab, draws] */
export async function tokenTimes(
  { token, group, n }: TokenCells,
  { draws, groups }: Resamples,
  d_vocab: number,
  product: Product,
): Promise<Float32Array> {
  const out = new Float32Array(d_vocab * draws);
  const block = 4096;
  for (let from = 0; from < d_vocab; from += block) {
    const m = Math.min(block, d_vocab - from);
    const counts = new Float32Array(m * groups.n);
    for (let i = 0; i < token.length; i++) {
      const v = token[i]! - from;
      if (v >= 0 && v < m) counts[v * groups.n + group[i]!]! += n[i]!;
    }
    out.set(await product(counts, groups.times, { m, k: groups.n, n: draws }), from * draws);
  }
  return out;
}

/** One context that a unit is judged on, and the activation from which it counts as firing. */
export interface Judged {
  readonly context: number;
  readonly threshold: number;
}

/** Rows per unit: [a′, a′², a, a², fires], then per judged context [a′y′, ay, hits, calls]. */
const unitRows = 5;
const contextRows = 4;

export function rowsOf(judged: number): number {
  return unitRows + contextRows * judged;
}

/** The units that are resampled together: sums of the sample itself, and of every draw. */
export interface DrawnUnits {
  /** Rows a unit has here. */
  readonly rows: number;
  readonly total: Float64Array; // [units * rows]
  readonly drawn: Float32Array; // [units * rows, draws]
}

/**
 * a′ = a − m is not zero where a unit is silent, so its sums run over all tokens. They are split: what active
 * tokens add is summed per document and resampled; what −m adds depends on a draw only through how often each
 * token id occurs in it, so it is a product of the means with `tokenTimes`, shared by all units.
 */
export async function drawUnits(
  columns: readonly Column[],
  judged: readonly (readonly Judged[])[],
  means: { of: TokenSums; units: readonly number[] },
  world: {
    eval: LabelledTokens;
    fit: TokenFit;
    cells: TokenCells;
    evalSums: LabelSums;
    resamples: Resamples;
    tokenTimes: Float32Array;
  },
  product: Product,
): Promise<DrawnUnits> {
  const { fit, evalSums, resamples } = world;
  const D = resamples.groups.n;
  const V = fit.d_vocab;
  const C = fit.n_contexts;
  const most = judged.reduce((top, list) => Math.max(top, list.length), 0);
  const rows = rowsOf(most);
  const perUnit = 2 + most; // −m, m², and m · P(context | token) of each judged context
  const sums = new Float32Array(columns.length * rows * D);
  const left = new Float32Array(columns.length * perUnit * V);
  const total = new Float64Array(columns.length * rows);
  const mean = new Float64Array(V);
  const byGroup = new Float32Array(D * rows);
  columns.forEach((column, u) => {
    const { token, offsets, sum } = means.of;
    const first = offsets[means.units[u]!]!;
    const end = offsets[means.units[u]! + 1]!;
    for (let i = first; i < end; i++) mean[token[i]!] = sum[i]!;
    byGroup.fill(0);
    activeSums(column, judged[u]!, world, mean, byGroup, rows);
    for (let k = 0; k < rows; k++) {
      let all = 0;
      for (let d = 0, to = (u * rows + k) * D; d < D; d++) {
        const x = byGroup[d * rows + k]!;
        sums[to + d] = x;
        all += x;
      }
      total[u * rows + k] = all;
    }
    const row = u * perUnit * V;
    for (let i = first; i < end; i++) {
      const v = token[i]!;
      const m = sum[i]!;
      left[row + v] = -m;
      left[row + V + v] = m * m;
      total[u * rows]! -= m * evalSums.byToken[v]!;
      total[u * rows + 1]! += m * m * evalSums.byToken[v]!;
      judged[u]!.forEach(({ context }, j) => {
        const mp = m * fit.label[v * C + context]!;
        left[row + (2 + j) * V + v] = mp;
        total[u * rows + unitRows + j * contextRows]! += mp * evalSums.byToken[v]!;
      });
      mean[v] = 0;
    }
  });
  const { draws } = resamples;
  const drawn = await resampledSums(sums, columns.length * rows, resamples, product);
  const size = { m: columns.length * perUnit, k: V, n: draws };
  const rest = await product(left, world.tokenTimes, size);
  for (let u = 0; u < columns.length; u++)
    for (let k = 0; k < perUnit; k++) {
      const to = (u * rows + (k < 2 ? k : unitRows + (k - 2) * contextRows)) * draws;
      const from = (u * perUnit + k) * draws;
      for (let b = 0; b < draws; b++) drawn[to + b]! += rest[from + b]!;
    }
  return { rows, total, drawn };
}

/**
 * Sums per group over active tokens, and −m inside each judged context: `out` is [groups, rows], so that what one
 * token adds to lies together.
 */
function activeSums(
  column: Column,
  judged: readonly Judged[],
  world: { eval: LabelledTokens; fit: TokenFit; cells: TokenCells; resamples: Resamples },
  mean: Float64Array,
  out: Float32Array,
  rows: number,
): void {
  const { fit, cells } = world;
  const { tokens, context, doc } = world.eval;
  const { of } = world.resamples.groups;
  const { fitted, labelByContext: label, d_vocab: V } = fit;
  const J = judged.length;
  const labels = Int32Array.from(judged, (j) => j.context * V);
  const contexts = Int32Array.from(judged, (j) => j.context);
  const thresholds = Float64Array.from(judged, (j) => j.threshold);
  const { token, value } = column;
  for (let i = 0; i < token.length; i++) {
    const t = token[i]!;
    const a = value[i]!;
    const v = tokens[t]!;
    const own = context[t]!;
    const at = of[doc[t]!]! * rows;
    const known = v < V && fitted[v] === 1;
    if (known) {
      out[at]! += a;
      out[at + 1]! += a * a - 2 * mean[v]! * a;
    }
    out[at + 2]! += a;
    out[at + 3]! += a * a;
    out[at + 4]!++;
    for (let j = 0, to = at + unitRows; j < J; j++, to += contextRows) {
      const fires = a >= thresholds[j]!;
      if (known) out[to]! -= a * label[labels[j]! + v]!;
      out[to + 3]! += Number(fires);
      if (own !== contexts[j]!) continue;
      if (known) out[to]! += a;
      out[to + 1]! += a;
      if (fires) out[to + 2]!++;
    }
  }
  for (let j = 0; j < J; j++) {
    const row = unitRows + j * contextRows;
    for (let i = cells.start[contexts[j]!]!; i < cells.start[contexts[j]! + 1]!; i++)
      out[cells.group[i]! * rows + row]! -= mean[cells.token[i]!]! * cells.n[i]!;
  }
}

/** Rows shared by all units: [n, n fitted], then per context [y, y′, y′²]. */
export function sharedSums(
  split: LabelledTokens,
  fit: TokenFit,
  { groups }: Resamples,
): Float32Array {
  const D = groups.n;
  const C = fit.n_contexts;
  const out = new Float64Array((2 + 3 * C) * D);
  const { tokens, context, doc } = split;
  for (let t = 0; t < tokens.length; t++) {
    const d = groups.of[doc[t]!]!;
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

/** Sums shared by all units, of the sample and of every draw. */
export type Shared = Pick<DrawnUnits, "total" | "drawn">;

export function sharedTotals(sums: Float32Array, groups: number): Float64Array {
  const out = new Float64Array(sums.length / groups);
  for (let k = 0; k < out.length; k++)
    for (let d = 0; d < groups; d++) out[k]! += sums[k * groups + d]!;
  return out;
}

/** One sum: of the sample itself, and of every draw. */
interface Row {
  readonly total: number;
  readonly drawn: Float32Array; // [draws]
}

function rowReader({ total, drawn }: Shared, from: number, draws: number): (k: number) => Row {
  return (k) => ({
    total: total[from + k]!,
    drawn: drawn.subarray((from + k) * draws, (from + k + 1) * draws),
  });
}

function ratio(part: Row, whole: Row): Estimate {
  const { drawn: p } = part;
  const { drawn: w } = whole;
  return percentileInterval(part.total / whole.total, p.length, (b) => p[b]! / w[b]!);
}

/** Pearson's r from the rows [n, x, xx, y, yy, xy]. */
function correlation(n: Row, x: Row, xx: Row, y: Row, yy: Row, xy: Row): Estimate {
  const value = pearson(n.total, x.total, xx.total, y.total, yy.total, xy.total);
  const [N, X, XX, Y, YY, XY] = [n.drawn, x.drawn, xx.drawn, y.drawn, yy.drawn, xy.drawn];
  return percentileInterval(value, N.length, (b) =>
    pearson(N[b]!, X[b]!, XX[b]!, Y[b]!, YY[b]!, XY[b]!),
  );
}

/** Figures of the u-th unit with its j-th judged context. */
export function pairFigures(
  units: DrawnUnits,
  u: number,
  j: number,
  context: number,
  shared: Shared,
  draws: number,
): PairFigures {
  const of = rowReader(units, u * units.rows, draws);
  const all = rowReader(shared, 0, draws);
  const at = unitRows + j * contextRows;
  const y = all(2 + 3 * context);
  const hits = of(at + 2);
  const inside = of(at + 1);
  const sum = of(2);
  return {
    r: correlation(all(0), sum, of(3), y, y, inside),
    r_given_token: correlation(
      all(1),
      of(0),
      of(1),
      all(3 + 3 * context),
      all(4 + 3 * context),
      of(at),
    ),
    precision: ratio(hits, of(at + 3)),
    recall: ratio(hits, y),
    weight: ratio(inside, sum),
  };
}

/** Density of the u-th unit. */
export function densityEstimate(
  units: DrawnUnits,
  u: number,
  shared: Shared,
  draws: number,
): Estimate {
  return ratio(rowReader(units, u * units.rows, draws)(4), rowReader(shared, 0, draws)(0));
}
