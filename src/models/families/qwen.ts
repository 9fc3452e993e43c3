// How Qwen 2, 2.5 and 3 are read: a Llama with biases on queries, keys and values, or with norms.
import type { ModelConfig } from "../config.ts";
import type { Family } from "./family.ts";
import type { Keys } from "./keys.ts";
import { llamaConfig, llamaWeights, windowKeys } from "./llama-layout.ts";

export const qwen2: Family = {
  name: "qwen2",
  types: ["qwen2"],
  readConfig(keys) {
    const config = llamaConfig(keys, "qwen2");
    const biases = { qkv: true, o: false, mlp: false, unembed: false };
    return { ...config, biases, ...qwenWindow(keys, config) };
  },
  weights: (config, has) => llamaWeights(config, has),
};

export const qwen3: Family = {
  name: "qwen3",
  types: ["qwen3"],
  readConfig: (keys) => qwen3Config(keys, "qwen3"),
  weights: (config, has) => llamaWeights(config, has),
};

export function qwen3Config(keys: Keys, family: string): ModelConfig {
  const biased = keys.flag("attention_bias", false);
  const config = llamaConfig(keys, family);
  return {
    ...config,
    biases: { qkv: biased, o: biased, mlp: false, unembed: false },
    qk_norm: "head",
    ...qwenWindow(keys, config),
  };
}

/** Layers from `max_window_layers` on have the window, if any does. */
function qwenWindow(keys: Keys, config: ModelConfig) {
  const first = keys.number("max_window_layers", 28);
  const windowed = keys.flag("use_sliding_window", false);
  const found = windowKeys(keys, config, (layer) => layer >= first);
  return windowed ? found : {};
}
