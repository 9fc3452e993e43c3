// How Granite is read: a Llama with four multipliers.
import type { Family } from "./family.ts";
import { llamaConfig, llamaWeights } from "./llama-layout.ts";

export const granite: Family = {
  name: "granite",
  types: ["granite"],
  readConfig(keys) {
    const attention = keys.flag("attention_bias", false);
    const mlp = keys.flag("mlp_bias", false);
    return {
      ...llamaConfig(keys, "granite"),
      biases: { qkv: attention, o: attention, mlp, unembed: false },
      embed_multiplier: keys.number("embedding_multiplier", 1),
      resid_multiplier: keys.number("residual_multiplier", 1),
      attn_scale: keys.number("attention_multiplier", 1),
      logits_multiplier: 1 / keys.number("logits_scaling", 1),
    };
  },
  weights: (config, has) => llamaWeights(config, has),
};
