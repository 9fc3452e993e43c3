// How OPT is read (Zhang et al. 2022): a GPT-2 with ReLU, whose position table begins two rows late.
import { sliced, view } from "../views.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, ends, mlpViews, normViews, prefixOf, separateAttention } from "./layout.ts";

export const opt: Family = {
  name: "opt",
  types: ["opt"],
  readConfig(keys) {
    const d_model = keys.size("hidden_size");
    const n_heads = keys.size("num_attention_heads");
    const biased = keys.flag("enable_bias", true);
    // The sizes between: norms after the sublayers, or embeddings narrower than the stream.
    keys.only("do_layer_norm_before", true);
    keys.only("word_embed_proj_dim", d_model);
    keys.only("layer_norm_elementwise_affine", true);
    keys.only("_remove_final_layer_norm", false);
    keys.ignore("layerdrop");
    return present({
      name: "",
      family: "opt",
      n_layers: keys.size("num_hidden_layers"),
      d_model,
      n_heads,
      d_head: d_model / n_heads,
      d_mlp: keys.size("ffn_dim"),
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("max_position_embeddings"),
      act_fn: keys.act("activation_function", "relu"),
      normalization: "LN" as const,
      positions: "learned" as const,
      biases: { qkv: biased, o: biased, mlp: biased, unembed: false },
      tied: keys.flag("tie_word_embeddings", true) || undefined,
    });
  },
  weights(config, has) {
    const prefix = prefixOf(has, "embed_tokens.weight", "model.decoder.", "decoder.");
    const { n_ctx } = config;
    return {
      ...ends(config, { embed: `${prefix}embed_tokens` }),
      "pos_embed.W_pos": view(`${prefix}embed_positions.weight`, sliced(0, 2, n_ctx + 2)),
      ...normViews(config, "ln_final", `${prefix}final_layer_norm`),
      ...eachLayer(config, `${prefix}layers`, (at, from) => {
        const inner = `${from}.self_attn`;
        const names = { q: `${inner}.q_proj`, k: `${inner}.k_proj`, v: `${inner}.v_proj` };
        const mlp = { in: `${from}.fc1`, out: `${from}.fc2` };
        return {
          ...normViews(config, `${at}.ln1`, `${from}.self_attn_layer_norm`),
          ...separateAttention(config, `${at}.attn`, { ...names, o: `${inner}.out_proj` }),
          ...normViews(config, `${at}.ln2`, `${from}.final_layer_norm`),
          ...mlpViews(config, `${at}.mlp`, mlp, config.biases?.mlp !== false),
        };
      }),
    };
  },
};
