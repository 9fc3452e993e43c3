// How GPT-NeoX and Pythia are read (Black et al. 2022): parallel blocks, a quarter of each head turns.
import { reshaped, sliced, transposed, type View, view } from "../views.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, ends, headsIn, mlpViews, normViews } from "./layout.ts";
import { readRotary } from "./rotary.ts";

export const gptNeox: Family = {
  name: "gpt_neox",
  types: ["gpt_neox"],
  ignored: /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
  readConfig(keys) {
    const d_model = keys.size("hidden_size");
    const n_heads = keys.size("num_attention_heads");
    const d_head = d_model / n_heads;
    const biased = keys.flag("attention_bias", true);
    return present({
      name: "",
      family: "gpt_neox",
      n_layers: keys.size("num_hidden_layers"),
      d_model,
      n_heads,
      d_head,
      d_mlp: keys.size("intermediate_size"),
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("max_position_embeddings"),
      act_fn: keys.act("hidden_act", "gelu"),
      normalization: "LN" as const,
      positions: "rotary" as const,
      biases: { qkv: biased, o: biased, unembed: false },
      eps: keys.number("layer_norm_eps", 1e-5),
      parallel: keys.flag("use_parallel_residual", true) ? ("separate" as const) : undefined,
      rotary: readRotary(keys, { d_head, partial: 0.25 }),
      tied: keys.flag("tie_word_embeddings", false) || undefined,
    });
  },
  weights(config) {
    const { n_heads, d_head, d_model, biases = {} } = config;
    // [head, (q, k, v), d_head] in one axis.
    const qkv = (at: string, from: string): Record<string, View> =>
      Object.fromEntries(
        ["Q", "K", "V"].flatMap((name, i) => {
          const W = view(
            `${from}.weight`,
            reshaped(n_heads, 3, d_head, d_model),
            sliced(1, i, i + 1),
            reshaped(n_heads, d_head, d_model),
            transposed(0, 2, 1),
          );
          const b = view(
            `${from}.bias`,
            reshaped(n_heads, 3, d_head),
            sliced(1, i, i + 1),
            reshaped(n_heads, d_head),
          );
          const list: [string, View][] = [[`${at}.W_${name}`, W]];
          return biases.qkv === false ? list : [...list, [`${at}.b_${name}`, b]];
        }),
      );
    return {
      ...ends(config, { embed: "gpt_neox.embed_in", head: "embed_out" }),
      ...normViews(config, "ln_final", "gpt_neox.final_layer_norm"),
      ...eachLayer(config, "gpt_neox.layers", (at, from) => ({
        ...normViews(config, `${at}.ln1`, `${from}.input_layernorm`),
        ...normViews(config, `${at}.ln2`, `${from}.post_attention_layernorm`),
        ...qkv(`${at}.attn`, `${from}.attention.query_key_value`),
        [`${at}.attn.W_O`]: view(
          `${from}.attention.dense.weight`,
          ...headsIn(n_heads, d_head, d_model),
        ),
        ...(biases.o === false ? {} : { [`${at}.attn.b_O`]: view(`${from}.attention.dense.bias`) }),
        ...mlpViews(
          config,
          `${at}.mlp`,
          { in: `${from}.mlp.dense_h_to_4h`, out: `${from}.mlp.dense_4h_to_h` },
          true,
        ),
      })),
    };
  },
};
