// How do a model's weights enter a graph: as values that forward passes read, with what to feed at each run.
import { fail } from "../base/errors.ts";
import { input, type Value } from "../graph/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Model, ModelConfig } from "./config.ts";
import { type Stored, storedValue } from "./stored.ts";
import { weightShapes } from "./weight-shapes.ts";

export interface BoundWeights {
  /** By TransformerLens name, in its shape: what `forward` takes. */
  readonly values: Readonly<Record<string, Value>>;
  /**
   * The checkpoint's own tensors that they are views of, by the checkpoint's name, where one is read
   * as a whole: a gradient with respect to one is in its layout, and of tied weights the sum.
   */
  readonly stored: Readonly<Record<string, Value>>;
  /** The graph inputs among them: weights that are fed. Others stay in their files. */
  readonly inputs: readonly Value[];
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Equal where two models' programs are equal: part of the key that programs are remembered by. */
  readonly key: string;
}

/** One graph input a weight: for training, and where several models share a program. */
export function weightInputs(config: ModelConfig): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => [
      name,
      input(name, "float32", [...shape]),
    ]),
  );
}

/** Binds a model's weights for one program. Every call makes new values. */
export function bindWeights(model: Model): BoundWeights {
  const { config, weights, stored } = model;
  if (stored === undefined) {
    const values = weightInputs(config);
    const inputs = Object.values(values);
    return { values, stored: {}, inputs, feeds: weights, key: JSON.stringify(config) };
  }
  const leaves = new Map<string, Value>();
  const values = Object.fromEntries(
    Object.keys(weightShapes(config)).map((name) => [name, storedValue(stored, name, leaves)]),
  );
  const inputs = [...leaves.values()].filter(({ op }) => op === "input");
  const feeds = Object.fromEntries(
    inputs.map(({ name }) => {
      const source = stored.sources[name!]!;
      if (source.kind !== "memory") fail("model/weights", "a weight in a file was to be fed");
      return [name!, source.tensor];
    }),
  );
  const whole = Object.fromEntries([...leaves].filter(([name]) => name in stored.sources));
  return {
    values,
    stored: whole,
    inputs,
    feeds,
    key: `${JSON.stringify(config)} ${placesOf(stored)}`,
  };
}

const places = new WeakMap<Stored, string>();

/** Which tensors, and where: what the programs over a checkpoint depend on. */
function placesOf(stored: Stored): string {
  const known = places.get(stored);
  if (known !== undefined) return known;
  const list = Object.entries(stored.sources).map(([name, source]) =>
    source.kind === "file" ? [name, source.file.path, source.file.offset] : [name, source.shape],
  );
  const made = JSON.stringify([stored.views, list]);
  places.set(stored, made);
  return made;
}

/** One weight by its TransformerLens name, from memory or from its file. */
export async function readWeight(model: Model, name: string): Promise<Tensor<"float32">> {
  const found = model.weights[name];
  if (found === undefined)
    fail("model/weights", `${model.config.name} has no weight ${name}`, {
      got: name,
      wanted: Object.keys(model.weights).slice(0, 8).join(", "),
    });
  return found;
}
