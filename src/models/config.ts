// What a model is: its sizes, its names, its weights in memory.
import { check, fail } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface ModelConfig {
  name: string;
  n_layers: number;
  d_model: number;
  n_heads: number;
  d_head: number;
  d_mlp: number;
  d_vocab: number;
  n_ctx: number;
  act_fn: "relu" | "gelu" | "silu";
  normalization: "none" | "LN";
  positions: "learned";
}

export interface Model {
  readonly config: ModelConfig;
  /** By TransformerLens name: `embed.W_E`, `blocks.0.attn.W_Q`, … */
  readonly weights: Readonly<Record<string, Tensor<"float32">>>;
  readonly tokenizer?: Tokenizer;
  /** Of config and weights: what recordings and dictionaries are bound to. */
  readonly hash: string;
}

const sizes = [
  "n_layers",
  "d_model",
  "n_heads",
  "d_head",
  "d_mlp",
  "d_vocab",
  "n_ctx",
] as const satisfies readonly (keyof ModelConfig)[];

const choices = {
  act_fn: ["relu", "gelu", "silu"],
  normalization: ["none", "LN"],
  positions: ["learned"],
} as const;

/** Refuses what this version does not understand, so that nothing is computed wrongly in silence. */
export function parseConfig(json: unknown, where: string): ModelConfig {
  check(typeof json === "object" && json !== null, "model/config", "not a model config", { where });
  const config = json as Record<string, unknown>;
  for (const key of sizes)
    check(
      Number.isSafeInteger(config[key]) && (config[key] as number) > 0,
      "model/config",
      `${key} is not a size`,
      { where, got: config[key], wanted: "a positive integer" },
    );
  for (const [key, allowed] of Object.entries(choices))
    check(
      (allowed as readonly unknown[]).includes(config[key]),
      "model/config",
      `${key} is not one we know`,
      { where, got: config[key], wanted: allowed.join(" | ") },
    );
  const known = new Set<string>([...sizes, ...Object.keys(choices), "name"]);
  const surplus = Object.keys(config).find((key) => !known.has(key));
  if (surplus !== undefined)
    fail("model/config", "a setting that we do not know could change the mathematics", {
      where,
      got: surplus,
    });
  check(typeof config.name === "string", "model/config", "the model has no name", { where });
  return config as unknown as ModelConfig;
}

/** Name → shape of every weight, in the order of the forward pass. */
export function weightShapes(config: ModelConfig): Record<string, readonly number[]> {
  const { n_layers, d_model, n_heads, d_head, d_mlp, d_vocab, n_ctx } = config;
  const norm = (at: string): [string, number[]][] =>
    config.normalization === "LN"
      ? [
          [`${at}.w`, [d_model]],
          [`${at}.b`, [d_model]],
        ]
      : [];
  const block = (at: string): [string, number[]][] => [
    ...norm(`${at}.ln1`),
    [`${at}.attn.W_Q`, [n_heads, d_model, d_head]],
    [`${at}.attn.W_K`, [n_heads, d_model, d_head]],
    [`${at}.attn.W_V`, [n_heads, d_model, d_head]],
    [`${at}.attn.W_O`, [n_heads, d_head, d_model]],
    [`${at}.attn.b_Q`, [n_heads, d_head]],
    [`${at}.attn.b_K`, [n_heads, d_head]],
    [`${at}.attn.b_V`, [n_heads, d_head]],
    [`${at}.attn.b_O`, [d_model]],
    ...norm(`${at}.ln2`),
    [`${at}.mlp.W_in`, [d_model, d_mlp]],
    [`${at}.mlp.b_in`, [d_mlp]],
    [`${at}.mlp.W_out`, [d_mlp, d_model]],
    [`${at}.mlp.b_out`, [d_model]],
  ];
  return Object.fromEntries([
    ["embed.W_E", [d_vocab, d_model]],
    ["pos_embed.W_pos", [n_ctx, d_model]],
    ...Array.from({ length: n_layers }, (_, layer) => block(`blocks.${layer}`)).flat(),
    ...norm("ln_final"),
    ["unembed.W_U", [d_model, d_vocab]],
    ["unembed.b_U", [d_vocab]],
  ]);
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

/** Bytes of the largest value that one row of `pos` tokens makes on the way: bounds a run's rows. */
export function largestRowBytes(
  config: ModelConfig,
  pos: number,
  { logits = false }: { logits?: boolean } = {},
): number {
  const { d_model, n_heads, d_head, d_mlp, d_vocab } = config;
  const widths = [d_model, 3 * n_heads * d_head, d_mlp, n_heads * pos, logits ? d_vocab : 0];
  return 4 * pos * Math.max(...widths);
}
