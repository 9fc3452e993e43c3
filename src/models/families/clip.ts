// How CLIP is read (Radford et al. 2021): a tower for texts and one for images, each a model.
import type { ModelConfig } from "../config.ts";
import { type View, view } from "../views.ts";
import { encoderSizes, imageOf, ofConfig, withHeads } from "./encoder-config.ts";
import type { Family } from "./family.ts";
import { type Keys, keysOf, present } from "./keys.ts";
import { eachLayer, mlpViews, normViews, prefixOf, separateAttention, turned } from "./layout.ts";

export type Tower = "text" | "image";

const tokens = "embeddings.token_embedding.weight";
const token = "embeddings.class_embedding";

export const clipText: Family = {
  name: "clip (text)",
  types: ["clip_text_model"],
  ignored: /embeddings\.position_ids$|^(vision_model|visual_projection)\.|^logit_scale$/,
  readConfig: (keys) =>
    readTower(keys, "text_config", (own, d_projection) => {
      const eos = own.number("eos_token_id", 49407);
      return {
        ...encoderSizes(own, { width: 512, neurons: 2048, layers: 12, heads: 8 }),
        ...shared(own),
        d_vocab: own.size("vocab_size", 49408),
        n_ctx: own.size("max_position_embeddings", 77),
        encoder: present({
          causal: true,
          pool: "eot" as const,
          // 2 was written by mistake: texts end at the largest token of theirs.
          eot: eos === 2 ? undefined : eos,
          d_projection,
        }),
      };
    }),
  fit: (config, has) => withHeads(config, has, { d_projection: ["text_projection.weight"] }),
  weights(config, has) {
    const prefix = prefixOf(has, tokens, "text_model.", "");
    return ofConfig(config, {
      "embed.W_E": view(`${prefix}${tokens}`),
      "pos_embed.W_pos": view(`${prefix}embeddings.position_embedding.weight`),
      ...blocks(config, prefix),
      ...normViews(config, "ln_final", `${prefix}final_layer_norm`),
      "projection.W": view("text_projection.weight", turned),
    });
  },
};

export const clipImage: Family = {
  name: "clip (image)",
  types: ["clip_vision_model"],
  ignored: /embeddings\.position_ids$|^(text_model|text_projection)\./,
  readConfig: (keys) =>
    readTower(keys, "vision_config", (own, d_projection) => {
      const { image, n_ctx } = imageOf(own, { bias: false, patch: 32 });
      return {
        ...encoderSizes(own, { width: 768, neurons: 3072, layers: 12, heads: 12 }),
        ...shared(own),
        d_vocab: 0,
        n_ctx,
        encoder: {
          image,
          embed_norm: true,
          hidden_before_norm: true,
          pool: "first" as const,
          d_projection,
          logit_scale: true,
        },
      };
    }),
  fit: (config, has) =>
    withHeads(config, has, {
      d_projection: ["visual_projection.weight"],
      logit_scale: ["logit_scale"],
    }),
  weights(config, has) {
    const prefix = prefixOf(has, token, "vision_model.", "");
    return ofConfig(config, {
      cls_token: view(`${prefix}${token}`),
      "patch_embed.W": view(`${prefix}embeddings.patch_embedding.weight`),
      "pos_embed.W_pos": view(`${prefix}embeddings.position_embedding.weight`),
      // So it is spelt.
      ...normViews(config, "ln_pre", `${prefix}pre_layrnorm`),
      ...blocks(config, prefix),
      ...normViews(config, "ln_final", `${prefix}post_layernorm`),
      "projection.W": view("visual_projection.weight", turned),
      logit_scale: view("logit_scale"),
    });
  },
};

/** A tower's own config, or its part of a config of both, where the width they share stands above. */
function readTower(
  keys: Keys,
  part: "text_config" | "vision_config",
  read: (own: Keys, d_projection: number) => ModelConfig,
): ModelConfig {
  if (keys.get("model_type") !== "clip") return read(keys, keys.size("projection_dim", 512));
  const parts = ["text_config", "vision_config", "text_config_dict", "vision_config_dict"];
  keys.ignore(...parts, "logit_scale_init_value", "tie_word_embeddings");
  // Older files hold a second record, which counts where it is there.
  const record = keys.record(`${part}_dict`) ?? keys.record(part) ?? {};
  const own = keysOf(record, `${keys.where}: ${part}`);
  own.ignore("projection_dim");
  const config = read(own, keys.size("projection_dim", 512));
  own.finish();
  return config;
}

function shared(keys: Keys) {
  keys.ignore("tie_word_embeddings");
  return {
    family: "clip",
    act_fn: keys.act("hidden_act", "quick_gelu"),
    eps: keys.number("layer_norm_eps", 1e-5),
  };
}

function blocks(config: ModelConfig, prefix: string): Record<string, View> {
  return eachLayer(config, `${prefix}encoder.layers`, (at, from) => {
    const own = `${from}.self_attn`;
    const names = { q: `${own}.q_proj`, k: `${own}.k_proj`, v: `${own}.v_proj` };
    const mlp = { in: `${from}.mlp.fc1`, out: `${from}.mlp.fc2` };
    return {
      ...normViews(config, `${at}.ln1`, `${from}.layer_norm1`),
      ...separateAttention(config, `${at}.attn`, { ...names, o: `${own}.out_proj` }),
      ...normViews(config, `${at}.ln2`, `${from}.layer_norm2`),
      ...mlpViews(config, `${at}.mlp`, mlp, true),
    };
  });
}
