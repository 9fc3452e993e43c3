// What is a unit when it fires weakly? The share of tokens inside a context, by band of activation.
import type { Estimate } from "./claim.ts";
import { wilson } from "./wilson.ts";

/** Activations of one unit: `value[i]` at token `token[i]`. */
export interface Column {
  readonly token: Uint32Array;
  readonly value: Float32Array;
}

export interface ShareBand {
  low: number;
  high: number;
  n: number;
  share: Estimate | null;
}

/** In which of `bands` equal widths from 0 to `peak` a value lies; the peak belongs to the last. */
export function bandOf(value: number, peak: number, bands: number): number {
  const at = Math.floor((value / peak) * bands);
  return at >= bands ? bands - 1 : at;
}

export function peakOf({ value }: Column): number {
  let peak = 0;
  for (let i = 0; i < value.length; i++) if (value[i]! > peak) peak = value[i]!;
  return peak;
}

/** Equal widths of activation, weakest first. Tokens where the unit is silent are in no band. */
export function equalBands(
  column: Column,
  inside: (token: number) => boolean,
  { bands = 11, peak = peakOf(column) }: { bands?: number; peak?: number } = {},
): ShareBand[] {
  const n = new Float64Array(bands);
  const hits = new Float64Array(bands);
  for (let i = 0; i < column.value.length; i++) {
    const band = bandOf(column.value[i]!, peak, bands);
    n[band]!++;
    if (inside(column.token[i]!)) hits[band]!++;
  }
  return Array.from(n, (count, b) => ({
    low: (b * peak) / bands,
    high: ((b + 1) * peak) / bands,
    n: count,
    share: wilson(hits[b]!, count),
  }));
}

/**
 * Bands with nearly equal numbers of active tokens, weakest first, cut at multiples of peak / 2048; a
 * heap of tokens inside one such step is not divided, so there can be fewer bands than asked for.
 */
export function quantileBands(
  column: Column,
  inside: (token: number) => boolean,
  { bands = 10, peak = peakOf(column) }: { bands?: number; peak?: number } = {},
): ShareBand[] {
  const steps = 2048;
  const fine = equalCounts(column, inside, peak, steps);
  const total = column.value.length;
  const out: ShareBand[] = [];
  let from = 0;
  let n = 0;
  let hits = 0;
  let before = 0;
  for (let s = 0; s < steps && before + n < total; s++) {
    n += fine.n[s]!;
    hits += fine.hits[s]!;
    const last = before + n === total;
    // A heap may have swallowed several bands: the next cut is the next one still ahead.
    const due = ((Math.floor((before * bands) / total) + 1) * total) / bands;
    if (n === 0 || (!last && before + n < due)) continue;
    out.push({
      low: (from * peak) / steps,
      high: ((s + 1) * peak) / steps,
      n,
      share: wilson(hits, n),
    });
    before += n;
    from = s + 1;
    n = 0;
    hits = 0;
  }
  return out;
}

function equalCounts(
  column: Column,
  inside: (token: number) => boolean,
  peak: number,
  steps: number,
): { n: Float64Array; hits: Float64Array } {
  const n = new Float64Array(steps);
  const hits = new Float64Array(steps);
  for (let i = 0; i < column.value.length; i++) {
    const s = bandOf(column.value[i]!, peak, steps);
    n[s]!++;
    if (inside(column.token[i]!)) hits[s]!++;
  }
  return { n, hits };
}

/** The activation above which F1 with the context is best (equal steps of the peak): chosen on select. */
export function bestThreshold(
  column: Column,
  inside: (token: number) => boolean,
  positives: number,
  { steps = 64 }: { steps?: number } = {},
): number {
  const peak = peakOf(column);
  if (peak === 0) return 0;
  const { n, hits } = equalCounts(column, inside, peak, steps);
  let above = 0;
  let right = 0;
  let best = -1;
  let at = 0;
  for (let s = steps - 1; s >= 0; s--) {
    above += n[s]!;
    right += hits[s]!;
    const f1 = (2 * right) / (above + positives);
    if (f1 >= best) {
      best = f1;
      at = s;
    }
  }
  return (at * peak) / steps;
}
