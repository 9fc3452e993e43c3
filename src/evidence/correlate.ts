// How much does a unit's activation tell about a context, and how much beyond the current token?
//
// r            Pearson correlation of a(t), zeros included, with y(t) = 1 where token t lies in the context.
// r given the token   With v = the id of token t and, fitted on *select* over ids seen at least 20 times,
//     m_a[v] = mean of a over occurrences of v,   m_y[v] = share of v's occurrences in the context,
//     a′(t) = a(t) − m_a[v(t)],   y′(t) = y(t) − m_y[v(t)],
//   it is the Pearson correlation of a′ and y′ over those tokens of a split whose id was fitted.
// Everything comes from sums per (unit), (unit, token) and (unit, context): one pass over the
// active pairs, and never a dense [tokens, units] matrix.
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { isFitted, type LabelledTokens, type LabelSums, pearson, type TokenFit } from "./labels.ts";

/** Sums of one split. `…Fitted` counts only tokens whose id was fitted. */
export interface Moments {
  readonly units: number;
  readonly n_contexts: number;
  readonly sum: Float64Array;
  readonly square: Float64Array;
  readonly sumFitted: Float64Array;
  readonly squareFitted: Float64Array;
  /** [units, n_contexts] */
  readonly byContext: Float64Array;
  readonly byContextFitted: Float64Array;
  readonly byToken: TokenSums;
}

/** Sparse sums per (unit, fitted token id): unit u has entries offsets[u] … offsets[u + 1]. */
export interface TokenSums {
  readonly offsets: Uint32Array;
  readonly token: Uint32Array;
  readonly sum: Float32Array;
}

export function columnMoments(
  columns: FeatureColumns,
  split: LabelledTokens,
  fit: TokenFit,
): Moments {
  const units = columns.d_sae;
  const C = fit.n_contexts;
  const made = emptyMoments(units, C);
  const scratch = new Float64Array(fit.d_vocab);
  const seen = new Uint32Array(fit.d_vocab);
  const sparse = sparseBuilder(units);
  const { tokens, context } = split;
  for (let u = 0; u < units; u++) {
    let sum = 0;
    let square = 0;
    let sumFitted = 0;
    let squareFitted = 0;
    let known = 0;
    const at = u * C;
    for (let i = columns.offsets[u]!; i < columns.offsets[u + 1]!; i++) {
      const t = columns.token[i]!;
      const a = columns.value[i]!;
      const v = tokens[t]!;
      const c = context[t]!;
      sum += a;
      square += a * a;
      made.byContext[at + c]! += a;
      if (!isFitted(fit, v)) continue;
      sumFitted += a;
      squareFitted += a * a;
      made.byContextFitted[at + c]! += a;
      if (scratch[v] === 0) seen[known++] = v;
      scratch[v]! += a;
    }
    made.sum[u] = sum;
    made.square[u] = square;
    made.sumFitted[u] = sumFitted;
    made.squareFitted[u] = squareFitted;
    for (const v of seen.subarray(0, known).sort()) {
      sparse.push(v, scratch[v]!);
      scratch[v] = 0;
    }
    sparse.close(u);
  }
  return { ...made, byToken: sparse.done() };
}

function emptyMoments(units: number, C: number) {
  return {
    units,
    n_contexts: C,
    sum: new Float64Array(units),
    square: new Float64Array(units),
    sumFitted: new Float64Array(units),
    squareFitted: new Float64Array(units),
    byContext: new Float64Array(units * C),
    byContextFitted: new Float64Array(units * C),
  };
}

function sparseBuilder(units: number) {
  const offsets = new Uint32Array(units + 1);
  let token = new Uint32Array(1024);
  let sum = new Float32Array(1024);
  let n = 0;
  return {
    push(v: number, value: number): void {
      if (n === token.length) {
        const wider = new Uint32Array(2 * n);
        wider.set(token);
        token = wider;
        const more = new Float32Array(2 * n);
        more.set(sum);
        sum = more;
      }
      token[n] = v;
      sum[n++] = value;
    },
    close(unit: number): void {
      offsets[unit + 1] = n;
    },
    done: (): TokenSums => ({ offsets, token: token.slice(0, n), sum: sum.slice(0, n) }),
  };
}

/** The same sums for dense units (neurons), fed batch by batch: `acts` is [n, units]. */
export function denseMoments(
  units: number,
  split: LabelledTokens,
  fit: TokenFit,
): { add(acts: Float32Array, from: number): void; done(): Moments } {
  const C = fit.n_contexts;
  const made = emptyMoments(units, C);
  const byToken = new Float32Array(fit.d_vocab * units);
  const { sum, square, sumFitted, squareFitted, byContext, byContextFitted } = made;
  return {
    add(acts, from) {
      const n = acts.length / units;
      for (let i = 0; i < n; i++) {
        const t = from + i;
        const v = split.tokens[t]!;
        const c = split.context[t]!;
        const fitted = isFitted(fit, v);
        const row = i * units;
        const ofContext = c * units;
        const ofToken = v * units;
        for (let u = 0; u < units; u++) {
          const a = acts[row + u]!;
          if (a === 0) continue;
          sum[u]! += a;
          square[u]! += a * a;
          byContext[ofContext + u]! += a;
          if (!fitted) continue;
          sumFitted[u]! += a;
          squareFitted[u]! += a * a;
          byContextFitted[ofContext + u]! += a;
          byToken[ofToken + u]! += a;
        }
      }
    },
    done() {
      const sparse = sparseBuilder(units);
      for (let u = 0; u < units; u++) {
        for (let v = 0; v < fit.d_vocab; v++) {
          const value = byToken[v * units + u]!;
          if (value !== 0) sparse.push(v, value);
        }
        sparse.close(u);
      }
      return {
        ...made,
        byContext: transposed(byContext, C, units),
        byContextFitted: transposed(byContextFitted, C, units),
        byToken: sparse.done(),
      };
    },
  };
}

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j]!;
  return out;
}

/** m_a of every unit: means per fitted token id, from the moments of select. */
export function tokenMeans(select: Moments, fit: TokenFit): TokenSums {
  const { offsets, token, sum } = select.byToken;
  return { offsets, token, sum: sum.map((s, i) => s / fit.count[token[i]!]!) };
}

export interface Correlations {
  readonly units: number;
  readonly n_contexts: number;
  /** [units, n_contexts] */
  readonly r: Float32Array;
  readonly r_given_token: Float32Array;
}

/** Correlations of every unit with every context on one split. */
export function correlations(
  moments: Moments,
  labels: LabelSums,
  fit: TokenFit,
  means: TokenSums,
): Correlations {
  const { units, n_contexts: C } = moments;
  const r = new Float32Array(units * C);
  const r_given_token = new Float32Array(units * C);
  const mean = new Float64Array(fit.d_vocab);
  const total = new Float64Array(fit.d_vocab);
  const cross = new Float64Array(C);
  for (let u = 0; u < units; u++) {
    for (let i = means.offsets[u]!; i < means.offsets[u + 1]!; i++)
      mean[means.token[i]!] = means.sum[i]!;
    const { offsets, token, sum } = moments.byToken;
    for (let i = offsets[u]!; i < offsets[u + 1]!; i++) total[token[i]!] = sum[i]!;
    let x = moments.sumFitted[u]!;
    let xx = moments.squareFitted[u]!;
    for (let c = 0; c < C; c++) cross[c] = moments.byContextFitted[u * C + c]!;
    const visit = (v: number): void => {
      const m = mean[v]!;
      const n = labels.byToken[v]!;
      x -= m * n;
      xx += m * (m * n - 2 * total[v]!);
      const rest = total[v]! - m * n;
      for (let c = 0; c < C; c++)
        cross[c]! -= fit.label[v * C + c]! * rest + m * labels.byTokenContext[v * C + c]!;
      mean[v] = 0;
      total[v] = 0;
    };
    for (let i = means.offsets[u]!; i < means.offsets[u + 1]!; i++) visit(means.token[i]!);
    for (let i = offsets[u]!; i < offsets[u + 1]!; i++)
      if (total[token[i]!] !== 0) visit(token[i]!);
    for (let c = 0; c < C; c++) {
      const at = u * C + c;
      const y = labels.n_context[c]!;
      r[at] = pearson(labels.n, moments.sum[u]!, moments.square[u]!, y, y, moments.byContext[at]!);
      r_given_token[at] = pearson(
        labels.n_fitted,
        x,
        xx,
        labels.residual[c]!,
        labels.residualSquare[c]!,
        cross[c]!,
      );
    }
  }
  return { units, n_contexts: C, r, r_given_token };
}
