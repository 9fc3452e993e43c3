// How are a feature's activations, or its logit weights, distributed?
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { bandOf, type Column, peakOf } from "../evidence/bands.ts";
import type { ControlFigures } from "../evidence/control.ts";
import { columnOf } from "../evidence/judge.ts";
import type { Histogram } from "./page.ts";

/** Four bins for each of the eleven intervals. */
export const activationBins = 44;
export const rowBins = 16;

export interface ActivationHistogram {
  histogram: Histogram;
  /** Share of the total activation in each bin: x · p(x). */
  value_share: number[];
}

/** Active tokens only, by equal width of activation from 0 to the peak. */
export function activationHistogram(
  { value }: Column,
  peak: number,
  bins = activationBins,
): ActivationHistogram {
  const counts = new Array<number>(bins).fill(0);
  const sums = new Array<number>(bins).fill(0);
  let total = 0;
  for (let i = 0; i < value.length; i++) {
    const bin = bandOf(value[i]!, peak, bins);
    counts[bin]!++;
    sums[bin]! += value[i]!;
    total += value[i]!;
  }
  return {
    histogram: { edges: equalEdges(0, peak, bins), counts },
    value_share: sums.map((sum) => (total > 0 ? rounded(sum / total) : 0)),
  };
}

export function equalEdges(from: number, to: number, bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, b) => rounded(from + ((to - from) * b) / bins));
}

/** Five significant digits: shorter pages, and never a non-zero number turned into zero. */
export function rounded(x: number): number {
  return x === 0 || !Number.isFinite(x) ? x : Number(x.toPrecision(5));
}

/** Counts of numbers in equal widths between their smallest and largest. */
export function evenHistogram(values: Float32Array, bins: number): Histogram {
  let low = values[0]!;
  let high = low;
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    if (x < low) low = x;
    else if (x > high) high = x;
  }
  const width = high - low;
  const counts = new Array<number>(bins).fill(0);
  for (let i = 0; i < values.length; i++) {
    const bin = width > 0 ? Math.floor(((values[i]! - low) / width) * bins) : 0;
    counts[bin < bins ? bin : bins - 1]!++;
  }
  return { edges: equalEdges(low, low + width, bins), counts };
}

/** Density and histogram of every feature that fires, by rising density: what a control lends to others. */
export function activationShapes(columns: FeatureColumns): NonNullable<ControlFigures["shapes"]> {
  const shapes = Array.from({ length: columns.d_sae }, (_, f) => columnOf(columns, f))
    .filter(({ value }) => value.length > 0)
    .map((column) => ({
      density: column.value.length / columns.n_tokens,
      counts: activationHistogram(column, peakOf(column)).histogram.counts,
    }))
    .sort((a, b) => a.density - b.density);
  return { density: shapes.map((s) => s.density), counts: shapes.map((s) => s.counts) };
}
