// How far did an intervention move the predictions? KL, cross entropy and the best guess, position by position.
import { check } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Moved {
  /** KL(clean ‖ changed) in nats: [rows · pos]. */
  readonly kl: Float64Array;
  /** −log p(next token) with the change minus without, nats; NaN where nothing follows. */
  readonly dCE: Float64Array;
  /** 1 where the likeliest next token is another one. */
  readonly turned: Uint8Array;
  /** Means over all positions that have one. */
  readonly means: { readonly kl: number; readonly dCE: number; readonly turned: number };
}

/** Logits [rows, pos, d_vocab] of the same tokens, without and with the interventions. */
export function compareLogits(clean: Tensor, changed: Tensor, tokens: Tensor): Moved {
  check(
    clean.shape.join() === changed.shape.join() && clean.shape.length === 3,
    "shape/logits",
    "these are not the logits of the same tokens",
    { got: `[${clean.shape.join(", ")}] and [${changed.shape.join(", ")}]` },
  );
  const [rows, pos, d_vocab] = clean.shape as [number, number, number];
  const kl = new Float64Array(rows * pos);
  const dCE = new Float64Array(rows * pos).fill(Number.NaN);
  const turned = new Uint8Array(rows * pos);
  for (let at = 0; at < rows * pos; at++) {
    const before = logProbabilities(clean, at, d_vocab);
    const after = logProbabilities(changed, at, d_vocab);
    for (let i = 0; i < d_vocab; i++)
      if (before[i]! > Number.NEGATIVE_INFINITY)
        kl[at]! += Math.exp(before[i]!) * (before[i]! - after[i]!);
    turned[at] = best(before) === best(after) ? 0 : 1;
    const next = (tokens.data as Int32Array)[at + 1];
    if ((at + 1) % pos !== 0) dCE[at] = before[next!]! - after[next!]!;
  }
  return { kl, dCE, turned, means: { kl: mean(kl), dCE: mean(dCE), turned: mean(turned) } };
}

/** log p of every token at one place of the flattened rows. */
export function logProbabilities(logits: Tensor, at: number, d_vocab: number): Float64Array {
  const row = (logits.data as Float32Array).subarray(at * d_vocab, (at + 1) * d_vocab);
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const x of row) sum += Math.exp(x - most);
  const norm = most + Math.log(sum);
  return Float64Array.from(row, (x) => x - norm);
}

function best(row: Float64Array): number {
  let at = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[at]!) at = i;
  return at;
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  let n = 0;
  for (let i = 0; i < values.length; i++)
    if (!Number.isNaN(values[i])) {
      sum += values[i]!;
      n += 1;
    }
  return sum / n;
}
