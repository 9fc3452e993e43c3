// How StableLM is read: a Llama with layer norms, a part of whose heads turns.
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { llamaConfig, llamaWeights } from "./llama-layout.ts";

export const stablelm: Family = {
  name: "stablelm",
  types: ["stablelm", "stablelm_epoch"],
  readConfig(keys) {
    keys.only("qk_layernorm", false);
    const qkv = keys.flag("use_qkv_bias", false);
    const parallel = keys.flag("use_parallel_residual", false);
    return present({
      ...llamaConfig(keys, "stablelm", { eps: "layer_norm_eps", partial: 0.25 }),
      normalization: "LN" as const,
      biases: { qkv, o: false, mlp: false, unembed: false },
      parallel: parallel ? ("shared" as const) : undefined,
    });
  },
  weights(config, has) {
    const ln1 = "input_layernorm";
    const norms: Record<string, string> =
      config.parallel === undefined ? { ln1, ln2: "post_attention_layernorm" } : { ln1 };
    return llamaWeights(config, has, { norms });
  },
};
