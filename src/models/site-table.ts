// Which places in a model have a name: the table that captures, interventions and importers share.
import { hasExperts, type ModelConfig } from "./config.ts";

/** Lengths that an axis can have; `batch` and `pos` depend on what is run. */
export type Axis =
  | "batch"
  | "pos"
  | "query"
  | "key"
  | "head"
  | "key_head"
  | "d_model"
  | "d_head"
  | "d_mlp"
  | "expert"
  /** The positions of an image without its class token. */
  | "patch"
  /** Of the norms on queries and keys: one a head, or one over all heads. */
  | "q_norms"
  | "k_norms"
  | "q_norm_width"
  | "k_norm_width"
  | "one";

/** Why a model, or one layer of it, does not have a site; undefined where it does. */
export type Lacking = (config: ModelConfig, layer?: number) => string | undefined;

export interface SiteRow {
  /** Our short name: `site("resid_post", 5)`. */
  readonly name: string;
  /** The TransformerLens string below `blocks.N.`, or on its own when not per layer. */
  readonly hook: string;
  readonly perLayer: boolean;
  readonly axes: readonly Axis[];
  readonly what: string;
  /** Absent where every model has the site. */
  readonly lacking?: Lacking;
}

const resid: readonly Axis[] = ["batch", "pos", "d_model"];
const heads: readonly Axis[] = ["batch", "pos", "head", "d_head"];
const keyHeads: readonly Axis[] = ["batch", "pos", "key_head", "d_head"];
const scores: readonly Axis[] = ["batch", "head", "query", "key"];
const mlp: readonly Axis[] = ["batch", "pos", "d_mlp"];
const experts: readonly Axis[] = ["batch", "pos", "expert"];
const scale: readonly Axis[] = ["batch", "pos", "one"];

type Has = (config: ModelConfig, layer?: number) => boolean;

const unless = (has: Has, reason: string): Lacking => {
  return (config, layer) => (has(config, layer) ? undefined : reason);
};
const all = (...list: readonly Lacking[]): Lacking => {
  return (config, layer) =>
    list.map((one) => one(config, layer)).find((reason) => reason !== undefined);
};
const norms = unless(({ normalization }) => normalization !== "none", "this model has no norm");
const finalNorm = unless((c) => c.final_norm !== false, "its logits are read without a norm");
const sandwich = unless(
  (c) => c.norm_placement === "sandwich",
  "what its sublayers write passes no norm of its own",
);
const feeds = unless((c) => c.attn_only !== true, "this model has attention only");
const secondNorm = unless(
  (c) => c.parallel !== "shared",
  "attention and MLP read through ln1 both",
);
const serial = unless(
  (c) => c.parallel === undefined,
  "attention and MLP are parallel: there is no stream between them",
);
// A mixture may have plain layers: without a layer, the question is whether any is so.
const plain = unless(
  (c, layer) =>
    layer === undefined
      ? c.experts === undefined || c.experts.layers?.includes(false) === true
      : !hasExperts(c, layer),
  "its neurons belong to experts, which see only some tokens",
);
const mixture = unless(
  (c, layer) => (layer === undefined ? c.experts !== undefined : hasExperts(c, layer)),
  "there are no experts",
);
const gated = unless((c) => c.gated === true, "its MLP is not gated");
const solu = unless((c) => c.act_fn === "solu_ln", "its activation function has no norm");
const rotary = unless((c) => c.positions === "rotary", "its positions are not rotary");
const learned = unless((c) => c.positions === "learned", "its positions are not embedded");
const segments = unless(
  (c) => c.encoder?.n_token_types !== undefined,
  "its embeddings know no segments",
);
const encodes = unless(
  (c) => c.encoder !== undefined,
  "its blocks read the sum of the embeddings: blocks.0.hook_resid_pre",
);
const textNorm = unless(
  (c) => c.encoder?.embed_norm === true && c.encoder.image === undefined,
  "its embeddings pass no norm",
);
const imageNorm = unless(
  (c) => c.encoder?.embed_norm === true && c.encoder.image !== undefined,
  "its embeddings pass no norm before the first block",
);
const streamNorm = unless(
  (c) => c.stream_norm === true,
  "the stream itself passes no norm: blocks.N.hook_resid_post is what the next block reads",
);
const lastNorm = unless(
  (c) => c.encoder !== undefined,
  "only encoders have it: ln_final.hook_normalized is there",
);
const pooler = unless((c) => c.encoder?.pooler === true, "it has no pooler");
const mlmHead = unless((c) => c.encoder?.mlm_head === true, "it does not predict masked tokens");
const qkNorm = unless((c) => c.qk_norm !== undefined, "its queries and keys pass no norm");
type Shared = Pick<SiteRow, "axes" | "what" | "lacking">;
const once = (name: string, hook: string, row: Shared): SiteRow => ({
  name,
  hook,
  perLayer: false,
  ...row,
});
const layer = (name: string, hook: string, row: Shared): SiteRow => ({
  name,
  hook,
  perLayer: true,
  ...row,
});

function onceNorm(name: string, at: string, of: string, lacking: Lacking): SiteRow[] {
  return [
    once(`${name}_scale`, `${at}.hook_scale`, { axes: scale, lacking, what: `divisor of ${of}` }),
    once(`${name}_normalized`, `${at}.hook_normalized`, {
      axes: resid,
      lacking,
      what: `${of}, before weight and bias`,
    }),
  ];
}

/** The two sites of one norm. */
function normRows(name: string, at: string, of: string, lacking: Lacking): SiteRow[] {
  return [
    layer(`${name}_scale`, `${at}.hook_scale`, { axes: scale, lacking, what: `divisor of ${of}` }),
    layer(`${name}_normalized`, `${at}.hook_normalized`, {
      axes: resid,
      lacking,
      what: `${of}, before weight and bias`,
    }),
  ];
}

function qkNormRows(which: "q" | "k"): SiteRow[] {
  const at = `attn.${which}_norm`;
  const of = which === "q" ? "queries" : "keys";
  return [
    layer(`${which}_norm_scale`, `${at}.hook_scale`, {
      axes: ["batch", "pos", `${which}_norms`, "one"],
      lacking: qkNorm,
      what: `divisor of the norm on ${of}`,
    }),
    layer(`${which}_norm_normalized`, `${at}.hook_normalized`, {
      axes: ["batch", "pos", `${which}_norms`, `${which}_norm_width`],
      lacking: qkNorm,
      what: `${of} after their norm, before its weight`,
    }),
  ];
}

/** In the order of the forward pass of a pre-norm model: see `sitesOf`. */
export const sites: readonly SiteRow[] = [
  once("embed", "hook_embed", { axes: resid, what: "token embedding" }),
  once("pos_embed", "hook_pos_embed", {
    axes: resid,
    what: "position embedding",
    lacking: learned,
  }),
  once("token_type_embed", "hook_token_type_embed", {
    axes: resid,
    what: "embedding of the segment",
    lacking: segments,
  }),
  ...onceNorm("embed_ln", "embed.ln", "the norm of the embeddings", textNorm),
  once("full_embed", "hook_full_embed", {
    axes: resid,
    what: "sum of the embeddings; of BERT, after their norm",
    lacking: encodes,
  }),
  ...onceNorm("ln_pre", "ln_pre", "the norm before the first block", imageNorm),
  once("ln_pre", "hook_ln_pre", {
    axes: resid,
    what: "what the norm before the first block gives",
    lacking: imageNorm,
  }),
  layer("resid_pre", "hook_resid_pre", { axes: resid, what: "residual stream before the block" }),
  ...normRows("ln1", "ln1", "the norm of attention", norms),
  layer("q", "attn.hook_q", { axes: heads, what: "queries" }),
  layer("k", "attn.hook_k", { axes: keyHeads, what: "keys" }),
  layer("v", "attn.hook_v", { axes: keyHeads, what: "values" }),
  ...qkNormRows("q"),
  ...qkNormRows("k"),
  layer("rot_q", "attn.hook_rot_q", {
    axes: heads,
    lacking: rotary,
    what: "queries after their norm, turned by position",
  }),
  layer("rot_k", "attn.hook_rot_k", {
    axes: keyHeads,
    lacking: rotary,
    what: "keys after their norm, turned by position",
  }),
  layer("attn_scores", "attn.hook_attn_scores", {
    axes: scores,
    what: "attention scores, −∞ where masked",
  }),
  layer("pattern", "attn.hook_pattern", {
    axes: scores,
    what: "attention pattern: each query's weights over keys",
  }),
  layer("z", "attn.hook_z", { axes: heads, what: "values mixed by the pattern" }),
  layer("result", "attn.hook_result", {
    axes: ["batch", "pos", "head", "d_model"],
    what: "what each head writes to the residual stream",
  }),
  ...normRows("ln1_post", "ln1_post", "the norm of what attention writes", all(norms, sandwich)),
  layer("attn_out", "hook_attn_out", { axes: resid, what: "what attention writes" }),
  layer("resid_mid", "hook_resid_mid", {
    axes: resid,
    lacking: all(feeds, serial),
    what: "residual stream between attention and MLP",
  }),
  ...normRows("ln2", "ln2", "the norm of the MLP", all(norms, feeds, secondNorm)),
  layer("router", "mlp.hook_router", {
    axes: experts,
    lacking: all(feeds, mixture),
    what: "the router's logits over experts",
  }),
  layer("expert_weights", "mlp.hook_expert_weights", {
    axes: experts,
    lacking: all(feeds, mixture),
    what: "softmax of the router's logits: over all experts, or over those chosen",
  }),
  layer("expert_gates", "mlp.hook_expert_gates", {
    axes: experts,
    lacking: all(feeds, mixture),
    what: "what each expert's output is multiplied by, 0 where it was not chosen",
  }),
  layer("mlp_pre", "mlp.hook_pre", {
    axes: mlp,
    lacking: all(feeds, plain),
    what: "neurons before the activation function; of a gated MLP, the gate",
  }),
  layer("mlp_pre_linear", "mlp.hook_pre_linear", {
    axes: mlp,
    lacking: all(feeds, plain, gated),
    what: "what the gate is multiplied with",
  }),
  layer("mlp_mid", "mlp.hook_mid", {
    axes: mlp,
    lacking: all(feeds, plain, solu),
    what: "neurons before the norm that follows SoLU",
  }),
  layer("mlp_ln_scale", "mlp.ln.hook_scale", {
    axes: scale,
    lacking: all(feeds, plain, solu),
    what: "divisor of the norm that follows SoLU",
  }),
  layer("mlp_ln_normalized", "mlp.ln.hook_normalized", {
    axes: mlp,
    lacking: all(feeds, plain, solu),
    what: "the norm that follows SoLU, before weight and bias",
  }),
  layer("mlp_post", "mlp.hook_post", {
    axes: mlp,
    lacking: all(feeds, plain),
    what: "neurons",
  }),
  ...normRows(
    "ln2_post",
    "ln2_post",
    "the norm of what the MLP writes",
    all(norms, feeds, sandwich),
  ),
  layer("mlp_out", "hook_mlp_out", { axes: resid, lacking: feeds, what: "what the MLP writes" }),
  layer("resid_post", "hook_resid_post", { axes: resid, what: "residual stream after the block" }),
  layer("normalized_resid_post", "hook_normalized_resid_post", {
    axes: resid,
    what: "residual stream after the block and its norm: what the next block reads",
    lacking: streamNorm,
  }),
  once("ln_final_scale", "ln_final.hook_scale", {
    axes: scale,
    lacking: all(norms, finalNorm),
    what: "standard deviation divided by before the unembedding",
  }),
  once("ln_final_normalized", "ln_final.hook_normalized", {
    axes: resid,
    lacking: all(norms, finalNorm),
    what: "what the unembedding reads, before weight and bias of the norm",
  }),
  once("ln_final", "hook_ln_final", {
    axes: resid,
    what: "what the last norm gives",
    lacking: all(lastNorm, finalNorm),
  }),
  once("pooler_out", "pooler.hook_pooler_out", {
    axes: ["batch", "d_model"],
    what: "what stands for all positions, after linear layer and tanh",
    lacking: pooler,
  }),
  ...onceNorm("mlm_head_ln", "mlm_head.ln", "the norm before the unembedding", mlmHead),
];
