// Which token comes next: the likeliest, or one drawn from what temperature, top-k, top-p and min-p leave.
import { check } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";

export interface SamplingOptions {
  /** 0 takes the likeliest token. */
  temperature?: number;
  /** Only the k likeliest; 0 is all. */
  top_k?: number;
  /** The smallest set of likeliest tokens with this much probability together (Holtzman et al. 2020). */
  top_p?: number;
  /** Only tokens at least this probable, as a share of the likeliest's probability (Nguyen et al. 2024). */
  min_p?: number;
}

export interface Candidates {
  /** Token ids, likeliest first; of equals the smaller id. */
  readonly ids: Int32Array;
  /** Their probabilities, adding up to 1. */
  readonly probabilities: Float64Array;
}

/** Refuses with `generate/sampling` what no distribution can have. */
export function checkSampling({ temperature, top_k, top_p, min_p }: SamplingOptions): void {
  const within = (
    name: string,
    x: number | undefined,
    ok: (x: number) => boolean,
    wanted: string,
  ) =>
    check(x === undefined || ok(x), "generate/sampling", `${name} is out of range`, {
      where: name,
      got: x,
      wanted,
    });
  within("temperature", temperature, (x) => x >= 0 && Number.isFinite(x), "0 or more");
  within("top_k", top_k, (x) => Number.isSafeInteger(x) && x >= 0, "a whole number, 0 for all");
  within("top_p", top_p, (x) => x > 0 && x <= 1, "more than 0, at most 1");
  within("min_p", min_p, (x) => x >= 0 && x <= 1, "0 to 1");
}

/**
 * What is left to draw from, in the order in which others apply them: temperature, top-k, top-p, min-p, each on
 * what the one before left. `logits` [d_vocab].
 */
export function candidates(
  logits: Float32Array,
  { temperature = 1, top_k = 0, top_p = 1, min_p = 0 }: SamplingOptions,
): Candidates {
  const scaled = Float64Array.from(logits, (x) => x / temperature);
  // Sorting numbers is ten times as fast as sorting ids by them, and the ids that are left are few.
  const falling = scaled.slice().sort().reverse();
  const count = countLeft(falling, { top_k, top_p, min_p });
  const least = falling[count - 1]!;
  const left = Int32Array.from(scaled.keys()).filter((id) => scaled[id]! >= least);
  const ids = left.sort((x, y) => scaled[y]! - scaled[x]! || x - y).slice(0, count);
  return { ids, probabilities: probabilitiesOf(scaled, ids) };
}

/** How many of the scaled logits, largest first, are left by each cut after the other. */
function countLeft(
  falling: Float64Array,
  { top_k, top_p, min_p }: Required<Pick<SamplingOptions, "top_k" | "top_p" | "min_p">>,
): number {
  let count = falling.length;
  if (top_k > 0 && top_k < count) {
    count = top_k;
    // All that equal the k-th stay, as elsewhere.
    while (count < falling.length && falling[count] === falling[top_k - 1]) count++;
  }
  const share = (i: number): number => Math.exp(falling[i]! - falling[0]!);
  if (top_p < 1) {
    let all = 0;
    for (let i = 0; i < count; i++) all += share(i);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += share(i) / all;
      if (sum >= top_p) count = i + 1;
    }
  }
  if (min_p > 0) while (count > 1 && share(count - 1) < min_p) count--;
  return count;
}

/** Softmax over the given tokens, of which the first has the largest logit. */
function probabilitiesOf(scaled: Float64Array, ids: Int32Array): Float64Array {
  const top = scaled[ids[0]!]!;
  const out = Float64Array.from(ids, (id) => Math.exp(scaled[id]! - top));
  const sum = out.reduce((a, b) => a + b, 0);
  return out.map((p) => p / sum);
}

/** The next token of one row. */
export function chooseToken(logits: Float32Array, options: SamplingOptions, rng: Random): number {
  const { temperature = 0, top_k = 0, top_p = 1, min_p = 0 } = options;
  if (temperature === 0) return likeliest(logits);
  let left = rng.uniform();
  if (top_k === 0 && top_p === 1 && min_p === 0) return drawnFromAll(logits, temperature, left);
  const { ids, probabilities } = candidates(logits, options);
  for (const [i, p] of probabilities.entries()) {
    left -= p;
    if (left < 0) return ids[i]!;
  }
  return ids.at(-1)!;
}

/** Nothing is cut, so nothing need be sorted: token by token, in the order of ids. */
function drawnFromAll(logits: Float32Array, temperature: number, uniform: number): number {
  const most = logits[likeliest(logits)]!;
  const shares = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    shares[i] = Math.exp((logits[i]! - most) / temperature);
    sum += shares[i]!;
  }
  let left = uniform * sum;
  for (let i = 0; i < shares.length; i++) {
    left -= shares[i]!;
    if (left < 0) return i;
  }
  return shares.findLastIndex((share) => share > 0);
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

export interface TokenLogprob {
  readonly token: number;
  /** Natural logarithm of the model's own probability, before temperature and cuts. */
  readonly logprob: number;
}

/** Log-probabilities of the chosen token and of the `top` likeliest. */
export function logprobsOf(
  logits: Float32Array,
  chosen: number,
  top: number,
): { chosen: TokenLogprob; top: TokenLogprob[] } {
  const most = logits[likeliest(logits)]!;
  let sum = 0;
  // Plain loops: a hundred thousand tokens of a vocabulary are read at every step.
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - most);
  const base = most + Math.log(sum);
  const of = (token: number): TokenLogprob => ({ token, logprob: logits[token]! - base });
  const best: number[] = [];
  for (let i = 0; top > 0 && i < logits.length; i++) {
    if (best.length === top && logits[i]! <= logits[best.at(-1)!]!) continue;
    const at = best.findIndex((other) => logits[other]! < logits[i]!);
    best.splice(at < 0 ? best.length : at, 0, i);
    if (best.length > top) best.pop();
  }
  return { chosen: of(chosen), top: best.map(of) };
}
