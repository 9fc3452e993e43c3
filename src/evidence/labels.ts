// What every token is: its id, its context and its document; and how much the token alone gives away.
import { check } from "../base/errors.ts";

/** The part of `TokenRows` that evidence needs. One entry a token, in reading order. */
export interface LabelledTokens {
  readonly tokens: Int32Array;
  /** Index into `contexts`. */
  readonly context: Uint16Array;
  /** Index into `documents`. */
  readonly doc: Int32Array;
  readonly contexts: readonly string[];
  readonly documents: readonly { readonly id: string }[];
}

/** Per-token facts fitted on *select*; the token table P(label | token) is `label`. */
export interface TokenFit {
  readonly d_vocab: number;
  readonly n_contexts: number;
  readonly min: number;
  /** Occurrences on select. [d_vocab] */
  readonly count: Float64Array;
  /** 1 where the token was seen at least `min` times. [d_vocab] */
  readonly fitted: Uint8Array;
  /** P(context | token), 0 for tokens that were not fitted. [d_vocab, n_contexts] */
  readonly label: Float64Array;
  /** The same, context by context, for loops over tokens of few contexts. [n_contexts, d_vocab] */
  readonly labelByContext: Float32Array;
}

/** Tokens rarer than `min` on select are left out of everything "given the token". */
export function fitTokens(
  select: LabelledTokens,
  { min = 20, d_vocab = 0 }: { min?: number; d_vocab?: number } = {},
): TokenFit {
  const { tokens, context } = select;
  const n_contexts = select.contexts.length;
  for (let t = 0; t < tokens.length; t++) if (tokens[t]! >= d_vocab) d_vocab = tokens[t]! + 1;
  const count = new Float64Array(d_vocab);
  const label = new Float64Array(d_vocab * n_contexts);
  for (let t = 0; t < tokens.length; t++) {
    count[tokens[t]!]!++;
    label[tokens[t]! * n_contexts + context[t]!]!++;
  }
  const fitted = Uint8Array.from(count, (n) => (n >= min ? 1 : 0));
  for (let v = 0; v < d_vocab; v++)
    for (let c = 0; c < n_contexts; c++)
      label[v * n_contexts + c] = fitted[v] ? label[v * n_contexts + c]! / count[v]! : 0;
  const labelByContext = new Float32Array(label.length);
  for (let v = 0; v < d_vocab; v++)
    for (let c = 0; c < n_contexts; c++)
      labelByContext[c * d_vocab + v] = label[v * n_contexts + c]!;
  return { d_vocab, n_contexts, min, count, fitted, label, labelByContext };
}

/** Sums over one split that depend on labels only, so they are shared by all units. */
export interface LabelSums {
  readonly n: number;
  readonly n_documents: number;
  /** Tokens of a context. [n_contexts] */
  readonly n_context: Float64Array;
  /** Documents with a token of the context. [n_contexts] */
  readonly documents_of: Int32Array;
  /** Tokens whose id was fitted. */
  readonly n_fitted: number;
  readonly n_context_fitted: Float64Array;
  /** Occurrences of fitted ids. [d_vocab] and [d_vocab, n_contexts] */
  readonly byToken: Float64Array;
  readonly byTokenContext: Float64Array;
  /** Σ y′ and Σ y′² with y′ = [context] − P(context | token), over fitted ids. [n_contexts] */
  readonly residual: Float64Array;
  readonly residualSquare: Float64Array;
}

export function labelSums(split: LabelledTokens, fit: TokenFit): LabelSums {
  const { tokens, context, doc } = split;
  const C = fit.n_contexts;
  check(split.contexts.length === C, "evidence/contexts", "the splits name different contexts", {
    got: split.contexts.length,
    wanted: C,
  });
  const byToken = new Float64Array(fit.d_vocab);
  const byTokenContext = new Float64Array(fit.d_vocab * C);
  const n_context = new Float64Array(C);
  const n_context_fitted = new Float64Array(C);
  const last = new Int32Array(C).fill(-1);
  const documents_of = new Int32Array(C);
  const present = new Uint8Array(split.documents.length);
  let n_fitted = 0;
  for (let t = 0; t < tokens.length; t++) {
    const c = context[t]!;
    const d = doc[t]!;
    n_context[c]!++;
    present[d] = 1;
    if (last[c] !== d) {
      last[c] = d;
      documents_of[c]!++;
    }
    const v = tokens[t]!;
    if (!isFitted(fit, v)) continue;
    n_fitted++;
    n_context_fitted[c]!++;
    byToken[v]!++;
    byTokenContext[v * C + c]!++;
  }
  const residual = Float64Array.from(n_context_fitted);
  const residualSquare = Float64Array.from(n_context_fitted);
  for (let v = 0; v < fit.d_vocab; v++) {
    const n = byToken[v]!;
    if (n === 0) continue;
    for (let c = 0; c < C; c++) {
      const p = fit.label[v * C + c]!;
      residual[c]! -= p * n;
      residualSquare[c]! += p * (p * n - 2 * byTokenContext[v * C + c]!);
    }
  }
  const n_documents = present.reduce((sum, p) => sum + p, 0);
  return {
    n: tokens.length,
    n_documents,
    n_context,
    documents_of,
    n_fitted,
    n_context_fitted,
    byToken,
    byTokenContext,
    residual,
    residualSquare,
  };
}

/** Ids beyond the fitted vocabulary were never seen on select. */
export function isFitted(fit: TokenFit, token: number): boolean {
  return token < fit.d_vocab && fit.fitted[token] === 1;
}

/** Correlation of the token table's own prediction with each label on a split, all tokens. */
export function tokenTableCorrelation(split: LabelledTokens, fit: TokenFit): Float64Array {
  // Tokens not fitted are predicted with the context's base rate on select.
  const C = fit.n_contexts;
  const total = fit.count.reduce((sum, n) => sum + n, 0);
  const base = new Float64Array(C);
  for (let v = 0; v < fit.d_vocab; v++)
    for (let c = 0; c < C; c++) base[c]! += (fit.label[v * C + c]! * fit.count[v]!) / total;
  const p = new Float64Array(C);
  const pp = new Float64Array(C);
  const py = new Float64Array(C);
  const y = new Float64Array(C);
  const { tokens, context } = split;
  for (let t = 0; t < tokens.length; t++) {
    const v = tokens[t]!;
    const from = isFitted(fit, v) ? fit.label : base;
    const at = from === base ? 0 : v * C;
    for (let c = 0; c < C; c++) {
      const x = from[at + c]!;
      p[c]! += x;
      pp[c]! += x * x;
    }
    y[context[t]!]!++;
    py[context[t]!]! += from[at + context[t]!]!;
  }
  return p.map((_, c) => pearson(tokens.length, p[c]!, pp[c]!, y[c]!, y[c]!, py[c]!));
}

/** Pearson's r from sums; 0 when either side is constant. */
export function pearson(
  n: number,
  x: number,
  xx: number,
  y: number,
  yy: number,
  xy: number,
): number {
  const vx = xx - (x * x) / n;
  const vy = yy - (y * y) / n;
  // Relative guard: what is left of a constant after cancellation is not a variance.
  if (!(vx > 1e-12 * xx) || !(vy > 1e-12 * yy)) return 0;
  return (xy - (x * y) / n) / Math.sqrt(vx * vy);
}
