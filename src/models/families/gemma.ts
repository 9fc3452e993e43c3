// How Gemma 1, 2 and 3 are read: norms of 1 + w, embeddings times √d_model, later sandwich norms,
// capped scores, windows in turn, and norms on queries and keys.
import { check } from "../../base/errors.ts";
import type { ModelConfig } from "../config.ts";
import type { Family } from "./family.ts";
import { type Keys, present } from "./keys.ts";
import { llamaConfig, llamaWeights, windowKeys } from "./llama-layout.ts";
import { readRotary } from "./rotary.ts";

function gemmaConfig(keys: Keys, family: string, layers?: string): ModelConfig {
  const biased = keys.flag("attention_bias", false);
  const hidden = keys.get("hidden_activation") === undefined ? "hidden_act" : "hidden_activation";
  // Old configs say "gelu" there and mean the tanh form, which the library always used.
  const older = hidden === "hidden_act" && keys.get("hidden_act") === "gelu";
  keys.ignore("hidden_act");
  const config = llamaConfig(keys, family, { act: hidden, tied: true, layers });
  return {
    ...config,
    act_fn: older ? "gelu_new" : config.act_fn,
    biases: { qkv: biased, o: biased, mlp: false, unembed: false },
    norm_offset: 1,
    embed_multiplier: Math.fround(Math.sqrt(config.d_model)),
  };
}

const sandwichNorms = {
  ln1: "input_layernorm",
  ln1_post: "post_attention_layernorm",
  ln2: "pre_feedforward_layernorm",
  ln2_post: "post_feedforward_layernorm",
};

export const gemma: Family = {
  name: "gemma",
  types: ["gemma"],
  ignored: /rotary_emb\.inv_freq$/,
  readConfig(keys) {
    keys.only("use_bidirectional_attention", false);
    return gemmaConfig(keys, "gemma");
  },
  weights: (config, has) => llamaWeights(config, has),
};

export const gemma2: Family = {
  name: "gemma2",
  types: ["gemma2"],
  readConfig(keys) {
    keys.only("use_bidirectional_attention", false);
    keys.ignore("cache_implementation");
    const config = gemmaConfig(keys, "gemma2");
    return present({
      ...config,
      norm_placement: "sandwich" as const,
      ...windowKeys(keys, config, (layer) => layer % 2 === 0),
      ...scores(keys),
    });
  },
  weights: (config, has) => llamaWeights(config, has, { norms: sandwichNorms }),
};

export const gemma3: Family = {
  name: "gemma3",
  types: ["gemma3_text"],
  readConfig(keys) {
    keys.only("use_bidirectional_attention", false);
    keys.ignore("cache_implementation");
    const config = gemmaConfig(keys, "gemma3", "full_attention");
    const every = keys.number("sliding_window_pattern", keys.number("_sliding_window_pattern", 6));
    const { d_head } = config;
    const base = keys.number("rope_local_base_freq", 10000);
    const nested = keys.record("rope_parameters");
    check(
      nested === undefined || nested.sliding_attention !== undefined,
      "model/config",
      "rope_parameters do not say how windowed layers turn",
      { where: keys.where, wanted: "full_attention and sliding_attention" },
    );
    const local =
      nested === undefined
        ? { base, dim: d_head }
        : readRotary(keys, { d_head, layers: "sliding_attention" });
    return present({
      ...config,
      norm_placement: "sandwich" as const,
      qk_norm: "head" as const,
      local_rotary: local,
      ...windowKeys(keys, config, (layer) => (layer + 1) % every !== 0),
      ...scores(keys),
    });
  },
  weights: (config, has) => llamaWeights(config, has, { norms: sandwichNorms }),
};

function scores(keys: Keys): Partial<ModelConfig> {
  return {
    attn_scale: keys.number("query_pre_attn_scalar", 256) ** -0.5,
    attn_softcap: keys.optional("attn_logit_softcapping"),
    logits_softcap: keys.optional("final_logit_softcapping"),
  };
}
