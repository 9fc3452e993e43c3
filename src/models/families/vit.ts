// How ViT is read (Dosovitskiy et al. 2020): patches of an image behind a class token.
import { reshaped, type View, view } from "../views.ts";
import { classesOf, encoderSizes, imageOf, ofConfig, withHeads } from "./encoder-config.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, mlpViews, normViews, prefixOf, separateAttention, turned } from "./layout.ts";

const token = "embeddings.cls_token";

export const vit: Family = {
  name: "vit",
  types: ["vit"],
  readConfig(keys) {
    const sizes = encoderSizes(keys);
    const { image, n_ctx } = imageOf(keys, { bias: true });
    keys.only("pooler_act", "tanh");
    keys.only("pooler_output_size", sizes.d_model);
    keys.ignore("encoder_stride");
    return present({
      ...sizes,
      family: "vit",
      d_vocab: 0,
      n_ctx,
      act_fn: keys.act("hidden_act", "gelu"),
      eps: keys.number("layer_norm_eps", 1e-12),
      biases: keys.flag("qkv_bias", true) ? undefined : { qkv: false },
      encoder: { image, pool: "first" as const, pooler: true, n_classes: classesOf(keys) },
    });
  },
  fit(config, has) {
    const prefix = prefixOf(has, token, "vit.", "");
    return withHeads(config, has, {
      pooler: [`${prefix}pooler.dense.weight`],
      n_classes: ["classifier.weight"],
    });
  },
  weights(config, has) {
    const prefix = prefixOf(has, token, "vit.", "");
    const { d_model, n_ctx } = config;
    const patch = `${prefix}embeddings.patch_embeddings.projection`;
    const dense = (at: string, from: string, [w, b] = ["W", "b"]): Record<string, View> => ({
      [`${at}.${w}`]: view(`${from}.weight`, turned),
      [`${at}.${b}`]: view(`${from}.bias`),
    });
    return ofConfig(config, {
      cls_token: view(`${prefix}${token}`, reshaped(d_model)),
      "patch_embed.W": view(`${patch}.weight`),
      "patch_embed.b": view(`${patch}.bias`),
      "pos_embed.W_pos": view(`${prefix}embeddings.position_embeddings`, reshaped(n_ctx, d_model)),
      ...eachLayer(config, `${prefix}encoder.layer`, (at, from) => {
        const own = `${from}.attention.attention`;
        const names = { q: `${own}.query`, k: `${own}.key`, v: `${own}.value` };
        const o = `${from}.attention.output.dense`;
        const mlp = { in: `${from}.intermediate.dense`, out: `${from}.output.dense` };
        return {
          ...normViews(config, `${at}.ln1`, `${from}.layernorm_before`),
          ...separateAttention(config, `${at}.attn`, { ...names, o }),
          ...normViews(config, `${at}.ln2`, `${from}.layernorm_after`),
          ...mlpViews(config, `${at}.mlp`, mlp, true),
        };
      }),
      ...normViews(config, "ln_final", `${prefix}layernorm`),
      ...dense("pooler", `${prefix}pooler.dense`),
      ...dense("head", "classifier", ["W_H", "b_H"]),
    });
  },
};
