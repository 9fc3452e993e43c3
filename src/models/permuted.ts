// What a model is that has the same numbers in every weight and has learned nothing: the control.
import { random } from "../base/random.ts";
import { tensor } from "../tensor/tensor.ts";
import { makeModel } from "./checkpoint.ts";
import type { Model } from "./config.ts";

/** Every tensor's entries, biases too, shuffled by its own stream of the seed (Bricken et al. 2023). */
export function permutedModel(model: Model, seed: number): Model {
  const rng = random(seed);
  const weights = Object.fromEntries(
    Object.entries(model.weights).map(([name, { shape, data }]) => [
      name,
      tensor("float32", shape, rng.stream(name).shuffle(data.slice())),
    ]),
  );
  const config = { ...model.config, name: `${model.config.name}-permuted-${seed}` };
  return makeModel(config, weights, model.tokenizer);
}
