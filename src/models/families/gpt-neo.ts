// How GPT-Neo is read: a GPT-2 whose scores are not scaled and whose layers have a window in turn.
import { fail } from "../../base/errors.ts";
import { view } from "../views.ts";
import type { Family } from "./family.ts";
import { type Keys, present } from "./keys.ts";
import { eachLayer, ends, mlpViews, normViews, prefixOf, separateAttention } from "./layout.ts";

export const gptNeo: Family = {
  name: "gpt_neo",
  types: ["gpt_neo"],
  ignored: /\.attention\.(bias|masked_bias)$/,
  readConfig(keys) {
    const d_model = keys.size("hidden_size");
    const n_heads = keys.size("num_heads");
    const layers = windowLayers(keys);
    const n_layers = keys.size("num_layers");
    const none = !layers.includes(true);
    const window = keys.size("window_size", 256);
    return present({
      name: "",
      family: "gpt_neo",
      n_layers,
      d_model,
      n_heads,
      d_head: d_model / n_heads,
      d_mlp: keys.size("intermediate_size", 4 * d_model),
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("max_position_embeddings"),
      act_fn: keys.act("activation_function", "gelu_new"),
      normalization: "LN" as const,
      positions: "learned" as const,
      biases: { qkv: false, unembed: false },
      eps: keys.number("layer_norm_epsilon", 1e-5),
      attn_scale: 1,
      window: none ? undefined : window,
      window_layers: none ? undefined : layers,
      tied: keys.flag("tie_word_embeddings", true) || undefined,
    });
  },
  weights(config, has) {
    const prefix = prefixOf(has, "wte.weight", "transformer.", "");
    return {
      ...ends(config, { embed: `${prefix}wte` }),
      "pos_embed.W_pos": view(`${prefix}wpe.weight`),
      ...normViews(config, "ln_final", `${prefix}ln_f`),
      ...eachLayer(config, `${prefix}h`, (at, from) => {
        const inner = `${from}.attn.attention`;
        const names = { q: `${inner}.q_proj`, k: `${inner}.k_proj`, v: `${inner}.v_proj` };
        return {
          ...normViews(config, `${at}.ln1`, `${from}.ln_1`),
          ...separateAttention(config, `${at}.attn`, { ...names, o: `${inner}.out_proj` }),
          ...normViews(config, `${at}.ln2`, `${from}.ln_2`),
          ...mlpViews(
            config,
            `${at}.mlp`,
            { in: `${from}.mlp.c_fc`, out: `${from}.mlp.c_proj` },
            true,
          ),
        };
      }),
    };
  },
};

/** `attention_layers` names each layer; `attention_types` is [[names, repeats], …]. */
function windowLayers(keys: Keys): boolean[] {
  const types = keys.list("attention_types") as [string[], number][] | undefined;
  const named = keys.list("attention_layers") as string[] | undefined;
  const layers = named ?? types?.flatMap(([names, n]) => new Array(n).fill(names).flat()) ?? [];
  const odd = layers.find((name) => name !== "global" && name !== "local");
  if (odd !== undefined || layers.length === 0)
    fail("model/config-unsupported", "a kind of attention that we lack", {
      where: keys.where,
      got: odd ?? "no attention_types",
      wanted: "global, local",
    });
  return layers.map((name) => name === "local");
}
