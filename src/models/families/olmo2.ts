// How OLMo 2 is read: a Llama that norms what its sublayers write, and queries and keys whole.
import type { Family } from "./family.ts";
import { llamaConfig, llamaWeights } from "./llama-layout.ts";

export const olmo2: Family = {
  name: "olmo2",
  types: ["olmo2"],
  readConfig(keys) {
    const biased = keys.flag("attention_bias", false);
    return {
      ...llamaConfig(keys, "olmo2", {}),
      biases: { qkv: biased, o: biased, mlp: false, unembed: false },
      norm_placement: "post",
      qk_norm: "whole",
    };
  },
  weights: (config, has) =>
    llamaWeights(config, has, {
      norms: { ln1: "post_attention_layernorm", ln2: "post_feedforward_layernorm" },
    }),
};
