// How GPT-J is read (Wang & Komatsuzaki 2021): parallel blocks behind one norm, neighbours turn.
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, ends, mlpViews, normViews, separateAttention } from "./layout.ts";

export const gptj: Family = {
  name: "gptj",
  types: ["gptj"],
  ignored: /\.attn\.(bias|masked_bias|embed_positions)$/,
  readConfig(keys) {
    const d_model = keys.size("n_embd");
    const n_heads = keys.size("n_head");
    const d_head = d_model / n_heads;
    keys.ignore("n_ctx", "rotary");
    return present({
      name: "",
      family: "gptj",
      n_layers: keys.size("n_layer"),
      d_model,
      n_heads,
      d_head,
      d_mlp: keys.size("n_inner", 4 * d_model),
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("n_positions"),
      act_fn: keys.act("activation_function", "gelu_new"),
      normalization: "LN" as const,
      positions: "rotary" as const,
      biases: { qkv: false, o: false },
      eps: keys.number("layer_norm_epsilon", 1e-5),
      parallel: "shared" as const,
      rotary: { base: 10000, dim: keys.size("rotary_dim", d_head), interleaved: true },
      tied: keys.flag("tie_word_embeddings", false) || undefined,
    });
  },
  weights: (config) => ({
    ...ends(config, { embed: "transformer.wte" }),
    ...normViews(config, "ln_final", "transformer.ln_f"),
    ...eachLayer(config, "transformer.h", (at, from) => {
      const names = { q: "q_proj", k: "k_proj", v: "v_proj", o: "out_proj" };
      const inner = Object.fromEntries(
        Object.entries(names).map(([name, own]) => [name, `${from}.attn.${own}`]),
      ) as typeof names;
      const mlp = { in: `${from}.mlp.fc_in`, out: `${from}.mlp.fc_out` };
      return {
        ...normViews(config, `${at}.ln1`, `${from}.ln_1`),
        ...separateAttention(config, `${at}.attn`, inner),
        ...mlpViews(config, `${at}.mlp`, mlp, true),
      };
    }),
  }),
};
