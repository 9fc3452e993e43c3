// What every block is handed: settings, weights, and who looks on.
import type { Value } from "../../graph/index.ts";
import type { ModelConfig } from "../config.ts";

export type Weights = Readonly<Record<string, Value>>;

/** Sees each site's value in order of the forward pass; what it returns is used from there on. */
export type Tap = (site: string, value: Value) => Value;

export const untouched: Tap = (_, value) => value;

export interface Scope {
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly tap: Tap;
}

/** A scope at one place: `blocks.3.attn`. */
export interface Place extends Scope {
  readonly at: string;
  readonly layer: number;
}
