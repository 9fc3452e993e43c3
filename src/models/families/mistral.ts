// How Mistral is read (Jiang et al. 2023): a Llama whose every layer has a window.
import type { Family } from "./family.ts";
import { llamaConfig, llamaWeights, windowKeys } from "./llama-layout.ts";

export const mistral: Family = {
  name: "mistral",
  types: ["mistral"],
  ignored: /rotary_emb\.inv_freq$/,
  readConfig(keys) {
    const config = llamaConfig(keys, "mistral");
    return { ...config, ...windowKeys(keys, config) };
  },
  weights: (config, has) => llamaWeights(config, has),
};
