// How BERT is read (Devlin et al. 2018), and what is made like it: MiniLM, sentence-transformers.
import type { ModelConfig } from "../config.ts";
import { type View, view } from "../views.ts";
import { classesOf, encoderSizes, ofConfig, withHeads } from "./encoder-config.ts";
import type { Family } from "./family.ts";
import { present } from "./keys.ts";
import { eachLayer, mlpViews, normViews, prefixOf, separateAttention, turned } from "./layout.ts";

const word = "embeddings.word_embeddings.weight";

export const bert: Family = {
  name: "bert",
  types: ["bert"],
  // A tied unembedding may be written all the same, and its bias twice, of which one is read.
  ignored: /embeddings\.position_ids$|^cls\.predictions\.(bias|decoder\.(weight|bias))$/,
  readConfig(keys) {
    keys.only("is_decoder", false);
    keys.only("position_embedding_type", "absolute");
    keys.ignore("pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers");
    keys.ignore("pooler_size_per_head", "pooler_type", "directionality");
    return present({
      ...encoderSizes(keys),
      family: "bert",
      d_vocab: keys.size("vocab_size"),
      n_ctx: keys.size("max_position_embeddings"),
      act_fn: keys.act("hidden_act", "gelu"),
      eps: keys.number("layer_norm_eps", 1e-12),
      norm_placement: "post" as const,
      stream_norm: true,
      final_norm: false,
      tied: keys.flag("tie_word_embeddings", true) || undefined,
      encoder: {
        n_token_types: keys.size("type_vocab_size", 2),
        embed_norm: true,
        pool: "first" as const,
        pooler: true,
        mlm_head: true,
        nsp_head: true,
        n_classes: classesOf(keys),
      },
    });
  },
  fit(config, has) {
    const prefix = prefixOf(has, word, "bert.", "");
    return withHeads(config, has, {
      pooler: [`${prefix}pooler.dense.weight`],
      mlm_head: ["cls.predictions.transform.dense.weight"],
      nsp_head: ["cls.seq_relationship.weight"],
      // Without a pooler it reads every token on its own: another head, which has no place here.
      n_classes: has(`${prefix}pooler.dense.weight`) ? ["classifier.weight"] : [],
    });
  },
  weights(config, has) {
    const prefix = prefixOf(has, word, "bert.", "");
    const embeddings = `${prefix}embeddings`;
    // Checkpoints from TensorFlow call a norm's weight and bias gamma and beta.
    const norm = (at: string, from: string): Record<string, View> =>
      has(`${from}.gamma`)
        ? { [`${at}.w`]: view(`${from}.gamma`), [`${at}.b`]: view(`${from}.beta`) }
        : normViews(config, at, from);
    return ofConfig(config, {
      "embed.W_E": view(`${prefix}${word}`),
      "pos_embed.W_pos": view(`${embeddings}.position_embeddings.weight`),
      "token_type_embed.W_token_type": view(`${embeddings}.token_type_embeddings.weight`),
      ...norm("embed.ln", `${embeddings}.LayerNorm`),
      ...eachLayer(config, `${prefix}encoder.layer`, (at, from) => {
        const own = `${from}.attention.self`;
        const names = { q: `${own}.query`, k: `${own}.key`, v: `${own}.value` };
        const o = `${from}.attention.output.dense`;
        const mlp = { in: `${from}.intermediate.dense`, out: `${from}.output.dense` };
        return {
          ...separateAttention(config, `${at}.attn`, { ...names, o }),
          ...norm(`${at}.ln1`, `${from}.attention.output.LayerNorm`),
          ...mlpViews(config, `${at}.mlp`, mlp, true),
          ...norm(`${at}.ln2`, `${from}.output.LayerNorm`),
        };
      }),
      ...headViews(config, has, prefix, norm),
    });
  },
};

function headViews(
  config: ModelConfig,
  has: (tensor: string) => boolean,
  prefix: string,
  norm: (at: string, from: string) => Record<string, View>,
): Record<string, View> {
  const dense = (at: string, from: string, [w, b] = ["W", "b"]) => ({
    [`${at}.${w}`]: view(`${from}.weight`, turned),
    [`${at}.${b}`]: view(`${from}.bias`),
  });
  const of = "cls.predictions";
  // Tied, they are one: newer files keep the first, older ones both.
  const biases = [`${of}.bias`, `${of}.decoder.bias`];
  if (!config.tied) biases.reverse();
  const bias = biases.find(has) ?? biases[0]!;
  return {
    ...dense("pooler", `${prefix}pooler.dense`),
    ...dense("mlm_head", `${of}.transform.dense`),
    ...norm("mlm_head.ln", `${of}.transform.LayerNorm`),
    "unembed.W_U": view(config.tied ? `${prefix}${word}` : `${of}.decoder.weight`, turned),
    "unembed.b_U": view(bias),
    ...dense("nsp_head", "cls.seq_relationship"),
    ...dense("head", "classifier", ["W_H", "b_H"]),
  };
}
