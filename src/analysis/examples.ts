// Which tokens stand for a feature? The strongest, and some at random from each part of its range.
import type { Random } from "../base/random.ts";
import { bandOf, type Column } from "../evidence/bands.ts";
import type { LabelledTokens } from "../evidence/labels.ts";

export const intervals = 11;

export interface ExampleOptions {
  top?: number;
  perInterval?: number;
  rng: Random;
}

export interface Examples {
  /** Tokens, strongest first. */
  top: number[];
  /** Per interval, weakest interval first: tokens at random, strongest first. */
  random: number[][];
}

/** Two examples whose texts around the peak agree are one example. */
const before = 10;
const after = 5;

export function chooseExamples(
  column: Column,
  peak: number,
  split: LabelledTokens,
  { top = 16, perInterval = 3, rng }: ExampleOptions,
): Examples {
  const spare = 4;
  const seen = new Set<number>();
  const strongest = topCandidates(column, peak, top * spare);
  const strengthOf = new Map<number, number>();
  const take = (candidates: number[], wanted: number): number[] => {
    const taken: number[] = [];
    for (const i of candidates) {
      if (taken.length === wanted) break;
      const t = column.token[i]!;
      const near = taken.some(
        (other) => Math.abs(other - t) < before + after && split.doc[other] === split.doc[t],
      );
      const key = textKey(split, t);
      if (near || seen.has(key)) continue;
      seen.add(key);
      strengthOf.set(t, column.value[i]!);
      taken.push(t);
    }
    return taken;
  };
  const best = take(strongest, top);
  // The intervals are samples of their own: an example may stand in both lists.
  seen.clear();
  const random = reservoirs(column, peak, perInterval * spare, rng).map((candidates) =>
    take(candidates, perInterval).sort((a, b) => strengthOf.get(b)! - strengthOf.get(a)!),
  );
  return { top: best, random };
}

/** Indices into the column, strongest first; at most `wanted`. */
function topCandidates({ value }: Column, peak: number, wanted: number): number[] {
  const steps = 1024;
  const counts = new Uint32Array(steps);
  for (let i = 0; i < value.length; i++) counts[bandOf(value[i]!, peak, steps)]!++;
  let lowest = steps;
  for (let n = 0; lowest > 0 && n < wanted; ) n += counts[--lowest]!;
  const found: number[] = [];
  for (let i = 0; i < value.length; i++)
    if (bandOf(value[i]!, peak, steps) >= lowest) found.push(i);
  return found.sort((a, b) => value[b]! - value[a]! || a - b).slice(0, wanted);
}

/** A uniform sample without replacement of each interval, in random order (Vitter's algorithm L). */
function reservoirs({ value }: Column, peak: number, size: number, rng: Random): number[][] {
  const kept: number[][] = Array.from({ length: intervals }, () => []);
  const seen = new Uint32Array(intervals);
  const next = new Float64Array(intervals).fill(size);
  const w = new Float64Array(intervals).fill(1);
  const skip = (b: number): void => {
    w[b]! *= Math.exp(Math.log(1 - rng.uniform()) / size);
    next[b]! += Math.floor(Math.log(1 - rng.uniform()) / Math.log(1 - w[b]!)) + 1;
  };
  for (let i = 0; i < value.length; i++) {
    const b = bandOf(value[i]!, peak, intervals);
    const n = seen[b]!++;
    if (n < size) {
      kept[b]!.push(i);
      if (n === size - 1) {
        next[b] = size - 1;
        skip(b);
      }
    } else if (n === next[b]) {
      kept[b]![rng.int(size)] = i;
      skip(b);
    }
  }
  return kept.map((list) => rng.shuffle(list));
}

/** FNV-1a of the token ids around the peak, within its document. */
function textKey({ tokens, doc }: LabelledTokens, t: number): number {
  let h = 0x811c9dc5;
  for (let i = t - before; i <= t + after; i++)
    if (i >= 0 && i < tokens.length && doc[i] === doc[t])
      h = Math.imul(h ^ tokens[i]!, 0x01000193) ^ (h >>> 15);
  return h >>> 0;
}
