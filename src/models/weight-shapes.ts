// Which weights a model has, and in which shape: TransformerLens names, in order of the forward pass.
import { check } from "../base/errors.ts";
import { type Encoder, hasExperts, keyValueHeads, type ModelConfig } from "./config.ts";

type Shapes = [string, number[]][];

/** Name → shape of every weight. A tied unembedding is listed: it is a weight, if not a tensor. */
export function weightShapes(config: ModelConfig): Record<string, readonly number[]> {
  const { n_layers, d_model, d_vocab, n_ctx, biases = {} } = config;
  const layers = Array.from({ length: n_layers }, (_, layer) => layer);
  if (config.encoder !== undefined)
    return Object.fromEntries([
      ...embeddings(config, config.encoder),
      ...layers.flatMap((layer) => block(config, layer)),
      ...(config.final_norm === false ? [] : norm(config, "ln_final")),
      ...heads(config, config.encoder),
    ]);
  return Object.fromEntries([
    ["embed.W_E", [d_vocab, d_model]],
    ...(config.positions === "learned" ? [["pos_embed.W_pos", [n_ctx, d_model]]] : []),
    ...layers.flatMap((layer) => block(config, layer)),
    ...(config.final_norm === false ? [] : norm(config, "ln_final")),
    ["unembed.W_U", [d_model, d_vocab]],
    ...(biases.unembed === false ? [] : [["unembed.b_U", [d_vocab]]]),
  ]);
}

function embeddings(config: ModelConfig, encoder: Encoder): Shapes {
  const { d_model, d_vocab, n_ctx } = config;
  const { image, n_token_types: types } = encoder;
  const list: [Shapes, boolean][] = [
    [[["embed.W_E", [d_vocab, d_model]]], image === undefined],
    [[["cls_token", [d_model]]], image !== undefined],
    [[["patch_embed.W", [d_model, image?.channels ?? 0, ...(image?.patch ?? [])]]], !!image],
    [[["patch_embed.b", [d_model]]], image?.bias === true],
    [[["pos_embed.W_pos", [n_ctx, d_model]]], true],
    [[["token_type_embed.W_token_type", [types ?? 0, d_model]]], types !== undefined],
    [norm(config, image === undefined ? "embed.ln" : "ln_pre"), encoder.embed_norm === true],
  ];
  return list.flatMap(([shapes, has]) => (has ? shapes : []));
}

/** What reads the stream at the end of an encoder. */
function heads(config: ModelConfig, encoder: Encoder): Shapes {
  const { d_model, d_vocab } = config;
  const { n_classes, d_projection } = encoder;
  const layer = (at: string, out: number, [w, b] = ["W", "b"]): Shapes => [
    [`${at}.${w}`, [d_model, out]],
    [`${at}.${b}`, [out]],
  ];
  const list: [Shapes, boolean | undefined][] = [
    [layer("pooler", d_model), encoder.pooler],
    [layer("mlm_head", d_model), encoder.mlm_head],
    [norm(config, "mlm_head.ln"), encoder.mlm_head],
    [layer("unembed", d_vocab, ["W_U", "b_U"]), encoder.mlm_head],
    [layer("nsp_head", 2), encoder.nsp_head],
    [layer("head", n_classes ?? 0, ["W_H", "b_H"]), n_classes !== undefined],
    [[["projection.W", [d_model, d_projection ?? 0]]], d_projection !== undefined],
    [[["logit_scale", []]], encoder.logit_scale],
  ];
  return list.flatMap(([shapes, has]) => (has ? shapes : []));
}

function norm(
  { normalization, d_model, biases = {} }: ModelConfig,
  at: string,
  width = d_model,
): Shapes {
  if (normalization === "none") return [];
  const bias = normalization === "LN" && biases.norm !== false;
  return [[`${at}.w`, [width]], ...(bias ? ([[`${at}.b`, [width]]] as Shapes) : [])];
}

function block(config: ModelConfig, layer: number): Shapes {
  const at = `blocks.${layer}`;
  const sandwich = config.norm_placement === "sandwich";
  const ownNorm = !config.attn_only && config.parallel !== "shared";
  return [
    ...norm(config, `${at}.ln1`),
    ...attention(config, `${at}.attn`),
    ...(sandwich ? norm(config, `${at}.ln1_post`) : []),
    ...(ownNorm ? norm(config, `${at}.ln2`) : []),
    ...mlp(config, layer, `${at}.mlp`),
    ...(sandwich && !config.attn_only ? norm(config, `${at}.ln2_post`) : []),
  ];
}

function attention(config: ModelConfig, at: string): Shapes {
  const { d_model, n_heads, d_head, biases = {} } = config;
  const kv = keyValueHeads(config);
  const perHead = config.qk_norm === "head";
  const width = (heads: number) => (perHead ? d_head : heads * d_head);
  const list: [Shapes, boolean][] = [
    [
      [
        [`${at}.W_Q`, [n_heads, d_model, d_head]],
        [`${at}.W_K`, [kv, d_model, d_head]],
        [`${at}.W_V`, [kv, d_model, d_head]],
        [`${at}.W_O`, [n_heads, d_head, d_model]],
      ],
      true,
    ],
    [
      [
        [`${at}.b_Q`, [n_heads, d_head]],
        [`${at}.b_K`, [kv, d_head]],
        [`${at}.b_V`, [kv, d_head]],
      ],
      biases.qkv !== false,
    ],
    [[[`${at}.b_O`, [d_model]]], biases.o !== false],
    [
      [
        [`${at}.q_norm.w`, [width(n_heads)]],
        [`${at}.k_norm.w`, [width(kv)]],
      ],
      config.qk_norm !== undefined,
    ],
    [[[`${at}.sinks`, [n_heads]]], config.attn_sinks === true],
  ];
  return list.flatMap(([shapes, has]) => (has ? shapes : []));
}

function mlp(config: ModelConfig, layer: number, at: string): Shapes {
  const { d_model, d_mlp, experts, biases = {} } = config;
  if (config.attn_only) return [];
  if (experts === undefined || !hasExperts(config, layer)) {
    const shapes = neurons(config, at, d_mlp, biases.mlp !== false);
    return config.act_fn === "solu_ln"
      ? [...shapes, ...norm({ ...config, normalization: "LN" }, `${at}.ln`, d_mlp)]
      : shapes;
  }
  const { n_experts, d_expert = d_mlp, biases: biased = false } = experts;
  const each = Array.from({ length: n_experts }, (_, e) =>
    neurons(config, `${at}.experts.${e}`, d_expert, biased),
  );
  const router: Shapes = [[`${at}.router.W`, [d_model, n_experts]]];
  if (biased) router.push([`${at}.router.b`, [n_experts]]);
  return [...router, ...each.flat()];
}

function neurons(config: ModelConfig, at: string, d_mlp: number, biased: boolean): Shapes {
  const { d_model, gated = false } = config;
  const list: [Shapes, boolean][] = [
    [[[`${at}.W_gate`, [d_model, d_mlp]]], gated],
    [[[`${at}.b_gate`, [d_mlp]]], gated && biased],
    [[[`${at}.W_in`, [d_model, d_mlp]]], true],
    [[[`${at}.b_in`, [d_mlp]]], biased],
    [[[`${at}.W_out`, [d_mlp, d_model]]], true],
    [[[`${at}.b_out`, [d_model]]], biased],
  ];
  return list.flatMap(([shapes, has]) => (has ? shapes : []));
}

/** Refuses missing, surplus and misshapen weights. */
export function checkWeights(
  config: ModelConfig,
  weights: Readonly<Record<string, { shape: readonly number[] }>>,
  where: string,
): void {
  const shapes = weightShapes(config);
  for (const [name, shape] of Object.entries(shapes)) {
    const got = weights[name]?.shape;
    check(got !== undefined, "model/weights", "a weight is missing", { where, wanted: name });
    check(got.join() === shape.join(), "model/weights", `${name} has another shape`, {
      where,
      got: `[${got.join(", ")}]`,
      wanted: `[${shape.join(", ")}]`,
    });
  }
  const surplus = Object.keys(weights).find((name) => shapes[name] === undefined);
  check(surplus === undefined, "model/weights", "a weight that the model has no place for", {
    where,
    got: surplus,
  });
}
