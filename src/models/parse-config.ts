// Whether a config that we wrote ourselves is one that this version computes rightly.
import { check, fail } from "../base/errors.ts";
import { actFns, type ModelConfig, patches } from "./config.ts";

type Rule = readonly [holds: (value: unknown) => boolean, wanted: string];

const size: Rule = [(x) => Number.isSafeInteger(x) && (x as number) > 0, "a positive integer"];
/** Lists have an entry a layer, or an expert of a layer: a config that lies must not fill the memory. */
const most = 1024;
const mostExperts = 65_536;
const flag: Rule = [(x) => typeof x === "boolean", "true or false"];
const number: Rule = [(x) => typeof x === "number" && Number.isFinite(x), "a number"];
const positive: Rule = [(x) => number[0](x) && (x as number) > 0, "a positive number"];
const flags: Rule = [
  (x) => Array.isArray(x) && x.every((one) => typeof one === "boolean"),
  "true or false a layer",
];
const numbers: Rule = [(x) => Array.isArray(x) && x.every(positive[0]), "positive numbers"];
const oneOf = (...values: readonly string[]): Rule => [
  (x) => values.includes(x as string),
  values.join(" | "),
];

/** An object of known keys; those with a question mark may be absent. */
function record(rules: Readonly<Record<string, Rule>>): Rule {
  const holds = (x: unknown): boolean =>
    typeof x === "object" &&
    x !== null &&
    Object.keys(x).every((key) => Object.hasOwn(rules, key) || Object.hasOwn(rules, `${key}?`)) &&
    Object.entries(rules).every(([key, [fits]]) => {
      const value = (x as Record<string, unknown>)[key.replace("?", "")];
      return value === undefined ? key.endsWith("?") : fits(value);
    });
  return [holds, `{ ${Object.keys(rules).join(", ")} }`];
}

const scalings: Record<string, Rule> = {
  linear: record({ type: oneOf("linear"), factor: positive }),
  dynamic: record({ type: oneOf("dynamic"), factor: positive, original: size }),
  llama3: record({
    type: oneOf("llama3"),
    factor: positive,
    low: positive,
    high: positive,
    original: size,
  }),
  yarn: record({
    type: oneOf("yarn"),
    factor: positive,
    original: size,
    beta_fast: positive,
    beta_slow: positive,
    attention_factor: positive,
    truncate: flag,
  }),
  longrope: record({
    type: oneOf("longrope"),
    short: numbers,
    long: numbers,
    original: size,
    attention_factor: positive,
  }),
};

const scaling: Rule = [
  (x) => {
    const type = (x as { type?: unknown } | null)?.type;
    return typeof type === "string" && Object.hasOwn(scalings, type) && scalings[type]![0](x);
  },
  Object.keys(scalings).join(" | "),
];
const rotary = record({ base: positive, dim: size, "interleaved?": flag, "scaling?": scaling });

const pair: Rule = [
  (x) => Array.isArray(x) && x.length === 2 && x.every(size[0]),
  "height and width",
];
const encoder = record({
  "image?": record({ size: pair, patch: pair, channels: size, bias: flag }),
  "causal?": flag,
  "n_token_types?": size,
  "embed_norm?": flag,
  "hidden_before_norm?": flag,
  pool: oneOf("first", "eot"),
  "eot?": [(x) => Number.isSafeInteger(x) && (x as number) >= 0, "a token"],
  "pooler?": flag,
  "mlm_head?": flag,
  "nsp_head?": flag,
  "n_classes?": size,
  "d_projection?": size,
  "logit_scale?": flag,
  "sentence?": record({ pool: oneOf("mean", "first"), normalize: flag }),
});

const rules: Readonly<Record<string, Rule>> = {
  n_layers: size,
  d_model: size,
  n_heads: size,
  d_head: size,
  d_mlp: size,
  d_vocab: [(x) => x === 0 || size[0](x), "a whole number"],
  n_ctx: size,
  act_fn: oneOf(...actFns),
  normalization: oneOf("none", "LN", "RMS"),
  positions: oneOf("none", "learned", "rotary"),
  name: [(x) => typeof x === "string", "a string"],
  "family?": [(x) => typeof x === "string", "a string"],
  "n_key_value_heads?": size,
  "attn_only?": flag,
  "gated?": flag,
  "biases?": record({
    "qkv?": flag,
    "o?": flag,
    "mlp?": flag,
    "norm?": flag,
    "unembed?": flag,
  }),
  "eps?": positive,
  "norm_offset?": number,
  "norm_placement?": oneOf("pre", "sandwich", "post"),
  "stream_norm?": flag,
  "parallel?": oneOf("separate", "shared"),
  "final_norm?": flag,
  "qk_norm?": oneOf("head", "whole"),
  "rotary?": rotary,
  "local_rotary?": rotary,
  "rotary_layers?": flags,
  "attn_scale?": number,
  "scale_by_inverse_layer?": flag,
  "attn_softcap?": positive,
  "logits_softcap?": positive,
  "window?": size,
  "window_layers?": flags,
  "attn_sinks?": flag,
  "embed_multiplier?": number,
  "resid_multiplier?": number,
  "logits_multiplier?": number,
  "tied?": flag,
  "experts?": record({
    n_experts: size,
    k: size,
    gating: oneOf("softmax", "chosen"),
    "normalize?": flag,
    "layers?": flags,
    "d_expert?": size,
    "clamped?": record({ alpha: positive, limit: positive }),
    "biases?": flag,
  }),
  "encoder?": encoder,
};

/** Refuses what this version does not understand, so that nothing is computed wrongly in silence. */
export function parseConfig(json: unknown, where: string): ModelConfig {
  check(typeof json === "object" && json !== null, "model/config", "not a model config", { where });
  const config = json as Record<string, unknown>;
  for (const [key, [holds, wanted]] of Object.entries(rules)) {
    const got = config[key.replace("?", "")];
    if (got === undefined && key.endsWith("?")) continue;
    check(holds(got), "model/config", `${key.replace("?", "")} is not one we know`, {
      where,
      got,
      wanted,
    });
  }
  const surplus = Object.keys(config).find(
    (key) => !Object.hasOwn(rules, key) && !Object.hasOwn(rules, `${key}?`),
  );
  if (surplus !== undefined)
    fail("model/config", "a setting that we do not know could change the mathematics", {
      where,
      got: surplus,
    });
  const made = config as unknown as ModelConfig;
  checkConfig(made, where);
  return made;
}

/** Whether the settings fit each other. */
export function checkConfig(config: ModelConfig, where = config.name): void {
  const { n_layers, n_heads, d_head, rotary, experts } = config;
  const kv = config.n_key_value_heads ?? n_heads;
  check(n_layers <= most, "model/config", "more layers than any model has", {
    where,
    got: n_layers,
    wanted: `at most ${most}`,
  });
  check(
    n_layers * (experts?.n_experts ?? 0) <= mostExperts,
    "model/config",
    "more experts than any model has",
    {
      where,
      got: `${experts?.n_experts} in each of ${n_layers} layers`,
      wanted: `at most ${mostExperts} in all`,
    },
  );
  check(n_heads % kv === 0, "model/config", "query heads do not divide among key heads", {
    where,
    got: `${n_heads} and ${kv}`,
    wanted: "a multiple",
  });
  check(
    (config.positions === "rotary") === (rotary !== undefined),
    "model/config",
    "rotary positions and their settings come together",
    { where, got: config.positions, wanted: "positions: rotary, and rotary: { base, dim }" },
  );
  for (const one of [rotary, config.local_rotary])
    check(
      one === undefined || (one.dim <= d_head && one.dim % 2 === 0),
      "model/config",
      "what turns is not an even part of a head",
      { where, got: one?.dim, wanted: `an even number up to ${d_head}` },
    );
  const image = config.encoder?.image;
  check(config.d_vocab > 0 || image !== undefined, "model/config", "there are no tokens", {
    where,
    got: config.d_vocab,
    wanted: "a positive d_vocab, or an image",
  });
  if (image !== undefined)
    check(
      patches(image) > 0 && config.n_ctx === patches(image) + 1,
      "model/config",
      "patches do not make the context",
      {
        where,
        got: `${config.n_ctx} positions, ${patches(image)} patches`,
        wanted: "one position a patch, and one more",
      },
    );
  const lists = [config.window_layers, config.rotary_layers, experts?.layers];
  check(
    lists.every((list) => list === undefined || list.length === n_layers),
    "model/config",
    "a list does not have one entry a layer",
    { where, got: lists.map((list) => list?.length).join(", "), wanted: n_layers },
  );
  check(
    experts === undefined || experts.k <= experts.n_experts,
    "model/config",
    "a token uses more experts than there are",
    { where, got: experts?.k, wanted: `at most ${experts?.n_experts}` },
  );
}
