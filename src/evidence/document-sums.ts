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
  columns.forEach((column, u) => {
    const { token, offsets, sum } = means.of;
    const first = offsets[means.units[u]!]!;
    const end = offsets[means.units[u]! + 1]!;
    for (let i = first; i < end; i++) mean[token[i]!] = sum[i]!;
    activeSums(column, judged[u]!, world, mean, sums, u * rows);
    for (let k = 0; k < rows; k++)
      for (let d = 0; d < D; d++) total[u * rows + k]! += sums[(u * rows + k) * D + d]!;
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

/** Sums per group over active tokens, and −m inside each judged context: `out` is [rows, groups]. */
function activeSums(
  column: Column,
  judged: readonly Judged[],
  world: { eval: LabelledTokens; fit: TokenFit; cells: TokenCells; resamples: Resamples },
  mean: Float64Array,
  out: Float32Array,
  at: number,
): void {
  const { fit, cells } = world;
  const { tokens, context, doc } = world.eval;
  const { of, n: D } = world.resamples.groups;
  const { fitted, labelByContext: label, d_vocab: V } = fit;
  const J = judged.length;
  const A = at * D;
  const AA = A + D;
  const S = AA + D;
  const SS = S + D;
  const F = SS + D;
  const contexts = Int32Array.from(judged, (j) => j.context);
  const thresholds = Float64Array.from(judged, (j) => j.threshold);
  for (let i = 0; i < column.token.length; i++) {
    const t = column.token[i]!;
    const a = column.value[i]!;
    const d = of[doc[t]!]!;
    const v = tokens[t]!;
    const own = context[t]!;
    out[S + d]! += a;
    out[SS + d]! += a * a;
    out[F + d]!++;
    const known = v < V && fitted[v] === 1;
    if (known) {
      out[A + d]! += a;
      out[AA + d]! += a * a - 2 * mean[v]! * a;
    }
    for (let j = 0, row = F + D + d; j < J; j++, row += contextRows * D) {
      const c = contexts[j]!;
      const fires = a >= thresholds[j]!;
      if (known) out[row]! -= a * label[c * V + v]!;
      if (fires) out[row + 3 * D]!++;
      if (own !== c) continue;
      if (known) out[row]! += a;
      out[row + D]! += a;
      if (fires) out[row + 2 * D]!++;
    }
  }
  for (let j = 0; j < J; j++) {
    const row = F + D + j * contextRows * D;
    for (let i = cells.start[contexts[j]!]!; i < cells.start[contexts[j]! + 1]!; i++)
      out[row + cells.group[i]!]! -= mean[cells.token[i]!]! * cells.n[i]!;
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

/** Reads one sum: draw −1 is the sample itself. */
function reader({ total, drawn }: Shared, from: number, draws: number) {
  return (k: number, b: number): number =>
    b < 0 ? total[from + k]! : drawn[(from + k) * draws + b]!;
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
  const of = reader(units, u * units.rows, draws);
  const all = reader(shared, 0, draws);
  const at = unitRows + j * contextRows;
  const y = 2 + 3 * context;
  const estimate = (statistic: (b: number) => number): Estimate =>
    percentileInterval(statistic(-1), draws, statistic);
  return {
    r: estimate((b) => pearson(all(0, b), of(2, b), of(3, b), all(y, b), all(y, b), of(at + 1, b))),
    r_given_token: estimate((b) =>
      pearson(all(1, b), of(0, b), of(1, b), all(y + 1, b), all(y + 2, b), of(at, b)),
    ),
    precision: estimate((b) => of(at + 2, b) / of(at + 3, b)),
    recall: estimate((b) => of(at + 2, b) / all(y, b)),
    weight: estimate((b) => of(at + 1, b) / of(2, b)),
  };
}

/** Density of the u-th unit. */
export function densityEstimate(
  units: DrawnUnits,
  u: number,
  shared: Shared,
  draws: number,
): Estimate {
  const of = reader(units, u * units.rows, draws);
  const all = reader(shared, 0, draws);
  const share = (b: number): number => of(4, b) / all(0, b);
  return percentileInterval(share(-1), draws, share);
}
