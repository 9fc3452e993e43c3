// How Llama 1 to 3.x is read (Touvron et al. 2023), and SmolLM, which is a Llama.
import type { Family } from "./family.ts";
import { llamaConfig, llamaWeights } from "./llama-layout.ts";

export const llama: Family = {
  name: "llama",
  types: ["llama"],
  ignored: /rotary_emb\.inv_freq$/,
  readConfig(keys) {
    const attention = keys.flag("attention_bias", false);
    const mlp = keys.flag("mlp_bias", false);
    return {
      ...llamaConfig(keys, "llama"),
      biases: { qkv: attention, o: attention, mlp, unembed: false },
    };
  },
  weights: (config, has) => llamaWeights(config, has),
};
