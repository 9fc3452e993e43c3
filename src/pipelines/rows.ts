// How long are the rows that a model reads in a job, and what does each begin with?
import type { ModelConfig } from "../models/index.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Figures of models with long contexts are taken on rows of this length: attention over more costs, and adds little. */
const longestRow = 256;

export function rowLength({ n_ctx }: Pick<ModelConfig, "n_ctx">): number {
  return Math.min(n_ctx, longestRow);
}

/** Tokens of text in a row: what the model's policy puts before it takes its place. */
export function textLength(n_ctx: number, { policy }: Pick<Tokenizer, "policy">): number {
  return Math.max(1, n_ctx - policy.before.length);
}

/** Every row begins with the tokens that the model was trained to see first; they belong to no context. */
export function beginRows(rows: TokenRows, { policy }: Pick<Tokenizer, "policy">): TokenRows {
  const { before } = policy;
  if (before.length === 0) return rows;
  const n_ctx = rows.n_ctx + before.length;
  const contexts = rows.contexts.includes(endContext)
    ? rows.contexts
    : [...rows.contexts, endContext];
  const n = rows.rows * n_ctx;
  const begun = {
    ...rows,
    n_ctx,
    contexts,
    tokens: new Int32Array(n),
    context: new Uint16Array(n).fill(contexts.indexOf(endContext)),
    doc: new Int32Array(n),
  };
  for (let row = 0; row < rows.rows; row++) {
    const [from, to] = [row * rows.n_ctx, (row + 1) * rows.n_ctx];
    const at = row * n_ctx;
    begun.tokens.set(before, at);
    begun.doc.fill(rows.doc[from]!, at, at + before.length);
    for (const key of ["tokens", "context", "doc"] as const)
      begun[key].set(rows[key].subarray(from, to), at + before.length);
  }
  return begun;
}
