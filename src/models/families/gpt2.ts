// How GPT-2 is read (Radford et al. 2019): learned positions, one product for queries, keys, values.
import { reshaped, sliced, transposed, view } from "../views.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, ends, normViews, prefixOf } from "./layout.ts";

export const gpt2: Family = {
  name: "gpt2",
  types: ["gpt2"],
  ignored: /\.attn\.(bias|masked_bias)$/,
  readConfig(keys) {
    const d_model = keys.size("n_embd");
    const n_heads = keys.size("n_head");
    keys.ignore("n_ctx");
    return present({
      name: "",
      family: "gpt2",
      n_layers: keys.size("n_layer"),
      d_model,
      n_heads,
      d_head: d_model / n_heads,
      d_mlp: keys.size("n_inner", 4 * d_model),
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("n_positions"),
      act_fn: keys.act("activation_function", "gelu_new"),
      normalization: "LN" as const,
      positions: "learned" as const,
      eps: keys.number("layer_norm_epsilon", 1e-5),
      attn_scale: keys.flag("scale_attn_weights", true) ? undefined : 1,
      scale_by_inverse_layer: keys.flag("scale_attn_by_inverse_layer_idx", false) || undefined,
      biases: { unembed: false },
      tied: keys.flag("tie_word_embeddings", true) || undefined,
    });
  },
  weights(config, has) {
    const { d_model, n_heads, d_head } = config;
    const prefix = prefixOf(has, "wte.weight", "transformer.", "");
    // Stored [in, out], unlike PyTorch's own linear layers.
    const qkv = (at: string, from: string) =>
      ["Q", "K", "V"].flatMap((name, i) => [
        [
          `${at}.W_${name}`,
          view(
            `${from}.weight`,
            sliced(1, i * d_model, (i + 1) * d_model),
            reshaped(d_model, n_heads, d_head),
            transposed(1, 0, 2),
          ),
        ],
        [
          `${at}.b_${name}`,
          view(
            `${from}.bias`,
            sliced(0, i * d_model, (i + 1) * d_model),
            reshaped(n_heads, d_head),
          ),
        ],
      ]);
    return {
      ...ends(config, { embed: `${prefix}wte` }),
      "pos_embed.W_pos": view(`${prefix}wpe.weight`),
      ...normViews(config, "ln_final", `${prefix}ln_f`),
      ...eachLayer(config, `${prefix}h`, (at, from) => ({
        ...normViews(config, `${at}.ln1`, `${from}.ln_1`),
        ...Object.fromEntries(qkv(`${at}.attn`, `${from}.attn.c_attn`)),
        [`${at}.attn.W_O`]: view(`${from}.attn.c_proj.weight`, reshaped(n_heads, d_head, d_model)),
        [`${at}.attn.b_O`]: view(`${from}.attn.c_proj.bias`),
        ...normViews(config, `${at}.ln2`, `${from}.ln_2`),
        [`${at}.mlp.W_in`]: view(`${from}.mlp.c_fc.weight`),
        [`${at}.mlp.b_in`]: view(`${from}.mlp.c_fc.bias`),
        [`${at}.mlp.W_out`]: view(`${from}.mlp.c_proj.weight`),
        [`${at}.mlp.b_out`]: view(`${from}.mlp.c_proj.bias`),
      })),
    };
  },
};
