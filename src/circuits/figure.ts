// How is a number stated: with what the same procedure gives where the effect cannot be.
import { quantile } from "../evidence/index.ts";

export type FigureControlKind =
  /** The same attention mass on every key that a query sees. */
  | "uniform-attention"
  /** The same head or model with its weights' entries shuffled. */
  | "permuted-weights"
  /** Normal weights of the same shapes. */
  | "random-weights"
  /** The same part's effect on tokens drawn at random. */
  | "random-tokens"
  /** The same place, patched from a prompt that has nothing to do with it. */
  | "unrelated-prompt"
  /** A prediction that does not look at the input. */
  | "constant"
  /** One random label a token type (Hewitt & Liang 2019). */
  | "random-labels";

export interface FigureControl {
  readonly kind: FigureControlKind;
  /** The mean over draws. */
  readonly value: number;
  /** 2.5 and 97.5 % of the draws; null where nothing was drawn: the value is exact. */
  readonly low: number | null;
  readonly high: number | null;
  readonly draws: number;
}

export interface Figure {
  readonly value: number;
  readonly controls: readonly FigureControl[];
}

export interface Head {
  readonly layer: number;
  readonly head: number;
}

export function exactControl(kind: FigureControlKind, value: number): FigureControl {
  return Object.freeze({ kind, value, low: null, high: null, draws: 0 });
}

export function drawnControl(kind: FigureControlKind, values: readonly number[]): FigureControl {
  const sorted = Float64Array.from(values).sort();
  const value = sorted.reduce((sum, x) => sum + x, 0) / sorted.length;
  const [low, high] = [quantile(sorted, 0.025), quantile(sorted, 0.975)];
  return Object.freeze({ kind, value, low, high, draws: values.length });
}

export function figure(value: number, ...controls: readonly FigureControl[]): Figure {
  return Object.freeze({ value, controls: Object.freeze(controls) });
}
