// The one-layer organism's sizes, with weights of no learning and tokens of no meaning: what time depends on.
import { random } from "../../src/base/random.ts";
import {
  type GrowOptions,
  growModel,
  initWeights,
  type Model,
  type ModelConfig,
  makeModel,
} from "../../src/models/index.ts";
import type { Backend } from "../../src/runtime/index.ts";

export const config: ModelConfig = {
  name: "one-layer",
  n_layers: 1,
  d_model: 128,
  n_heads: 4,
  d_head: 32,
  d_mlp: 512,
  d_vocab: 4096,
  n_ctx: 256,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};

export function newborn(seed = 0): Model {
  return makeModel(config, initWeights(config, random(seed)));
}

export function rowsOfTokens(rows: number, seed = 0) {
  const rng = random(seed);
  const tokens = Int32Array.from({ length: rows * config.n_ctx }, () => rng.int(config.d_vocab));
  return { n_ctx: config.n_ctx, rows, tokens };
}

/** Milliseconds of each training step but the first two, as `growModel` takes them. */
export async function stepTimes(backend: Backend, options: GrowOptions): Promise<number[]> {
  const times: number[] = [];
  let last = performance.now();
  const onProgress = (): void => {
    const now = performance.now();
    times.push(now - last);
    last = now;
  };
  const rows = rowsOfTokens(64);
  await growModel(config, rows, { ...options, steps: options.steps + 2 }, { onProgress }, backend);
  return times.slice(2);
}
