// How Phi 1, 1.5 and 2 are read (parallel blocks behind one norm), and Phi-3, which is a Llama.
import { reshaped, sliced, transposed, view } from "../views.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, ends, mlpViews, normViews, separateAttention } from "./layout.ts";
import { llamaConfig, llamaSizes, llamaWeights, windowKeys } from "./llama-layout.ts";
import { readRotary } from "./rotary.ts";

export const phi: Family = {
  name: "phi",
  types: ["phi"],
  readConfig(keys) {
    const sizes = llamaSizes(keys);
    keys.only("qk_layernorm", false);
    return present({
      name: "",
      family: "phi",
      ...sizes,
      act_fn: keys.act("hidden_act", "gelu_new"),
      normalization: "LN" as const,
      positions: "rotary" as const,
      eps: keys.number("layer_norm_eps", 1e-5),
      parallel: "shared" as const,
      rotary: readRotary(keys, { d_head: sizes.d_head, partial: 0.5 }),
      tied: keys.flag("tie_word_embeddings", false) || undefined,
    });
  },
  weights: (config) => ({
    ...ends(config, { embed: "model.embed_tokens" }),
    ...normViews(config, "ln_final", "model.final_layernorm"),
    ...eachLayer(config, "model.layers", (at, from) => {
      const inner = `${from}.self_attn`;
      const names = { q: `${inner}.q_proj`, k: `${inner}.k_proj`, v: `${inner}.v_proj` };
      const mlp = { in: `${from}.mlp.fc1`, out: `${from}.mlp.fc2` };
      return {
        ...normViews(config, `${at}.ln1`, `${from}.input_layernorm`),
        ...separateAttention(config, `${at}.attn`, { ...names, o: `${inner}.dense` }),
        ...mlpViews(config, `${at}.mlp`, mlp, true),
      };
    }),
  }),
};

export const phi3: Family = {
  name: "phi3",
  types: ["phi3"],
  readConfig(keys) {
    const config = llamaConfig(keys, "phi3");
    // These decide how a phi3 is trained further, not what it computes.
    keys.ignore("attention_bias");
    return { ...config, ...windowKeys(keys, config) };
  },
  weights: (config, has) =>
    llamaWeights(config, has, {
      stacked: true,
      mlp({ d_mlp, d_model }, at, from) {
        const half = (i: number) =>
          view(
            `${from}.gate_up_proj.weight`,
            sliced(0, i * d_mlp, (i + 1) * d_mlp),
            reshaped(d_mlp, d_model),
            transposed(1, 0),
          );
        return {
          [`${at}.W_gate`]: half(0),
          [`${at}.W_in`]: half(1),
          [`${at}.W_out`]: view(`${from}.down_proj.weight`, transposed(1, 0)),
        };
      },
    }),
};
