// How do a model's weights enter a graph: as values that forward passes read, with what to feed at each run.
import type { Value } from "../graph/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Model } from "./config.ts";
import { weightInputs } from "./transformer.ts";

export interface BoundWeights {
  /** By TransformerLens name, in its shape: what `forward` takes. */
  readonly values: Readonly<Record<string, Value>>;
  /** The graph inputs among them: weights that are fed. */
  readonly inputs: readonly Value[];
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Equal where two models' programs are equal: part of the key that programs are remembered by. */
  readonly key: string;
}

/** Binds a model's weights for one program. Every call makes new values. */
export function bindWeights({ config, weights }: Model): BoundWeights {
  const values = weightInputs(config);
  return { values, inputs: Object.values(values), feeds: weights, key: JSON.stringify(config) };
}
