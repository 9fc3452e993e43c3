// What Llama and its many descendants share: names of settings, names of tensors.
import type { ModelConfig } from "../config.ts";
import { type View, view } from "../views.ts";
import { type Keys, present } from "./keys.ts";
import {
  eachLayer,
  ends,
  mlpViews,
  normViews,
  prefixOf,
  separateAttention,
  stackedAttention,
} from "./layout.ts";
import { type RotaryDefaults, readRotary } from "./rotary.ts";

export interface LlamaDefaults extends Partial<Omit<RotaryDefaults, "d_head">> {
  /** The key of the activation function. */
  act?: string;
  tied?: boolean;
  eps?: string;
}

/** Sizes under the names that Llama gave them. */
export function llamaSizes(keys: Keys) {
  const d_model = keys.size("hidden_size");
  const n_heads = keys.size("num_attention_heads");
  const kv = keys.size("num_key_value_heads", n_heads);
  return {
    n_layers: keys.size("num_hidden_layers"),
    d_model,
    n_heads,
    n_key_value_heads: kv === n_heads ? undefined : kv,
    d_head: keys.size("head_dim", d_model / n_heads),
    d_mlp: keys.size("intermediate_size"),
    d_vocab: keys.size("vocab_size"),
    n_ctx: keys.size("max_position_embeddings", 2048),
  };
}

/** Sizes and settings under the names that Llama gave them. Biases: none. */
export function llamaConfig(
  keys: Keys,
  family: string,
  { act = "hidden_act", tied = false, eps = "rms_norm_eps", ...rope }: LlamaDefaults = {},
): ModelConfig {
  const sizes = llamaSizes(keys);
  return present({
    name: "",
    family,
    ...sizes,
    act_fn: keys.act(act, "silu"),
    normalization: "RMS" as const,
    positions: "rotary" as const,
    gated: true,
    biases: { qkv: false, o: false, mlp: false, unembed: false },
    eps: keys.number(eps, 1e-6),
    rotary: readRotary(keys, { d_head: sizes.d_head, ...rope }),
    tied: keys.flag("tie_word_embeddings", tied) || undefined,
  });
}

/** Which layers have the window: by `layer_types`, or as the family used to say it. */
export function windowKeys(
  keys: Keys,
  { n_layers }: ModelConfig,
  older: (layer: number) => boolean = () => true,
): Pick<ModelConfig, "window" | "window_layers"> {
  const window = keys.optional("sliding_window");
  const types = keys.list("layer_types");
  const layers = Array.from({ length: n_layers }, (_, layer) =>
    types === undefined ? older(layer) : types[layer] === "sliding_attention",
  );
  if (window === undefined || !layers.includes(true)) return {};
  return layers.includes(false) ? { window, window_layers: layers } : { window };
}

export interface LlamaNames {
  norms?: Readonly<Record<string, string>>;
  /** One product for queries, keys and values, and one for gate and linear side (Phi-3). */
  stacked?: boolean;
  /** Instead of the plain MLP of a layer. */
  mlp?: (config: ModelConfig, at: string, from: string, layer: number) => Record<string, View>;
}

const preNorms = { ln1: "input_layernorm", ln2: "post_attention_layernorm" };

export function llamaWeights(
  config: ModelConfig,
  has: (tensor: string) => boolean,
  { norms = preNorms, stacked = false, mlp = plainMlp }: LlamaNames = {},
): Record<string, View> {
  const prefix = prefixOf(has, "embed_tokens.weight", "model.", "");
  const attention = (at: string, from: string): Record<string, View> => {
    if (stacked) return stackedAttention(config, at, `${from}.qkv_proj`, `${from}.o_proj`);
    const names = { q: `${from}.q_proj`, k: `${from}.k_proj`, v: `${from}.v_proj` };
    return separateAttention(config, at, { ...names, o: `${from}.o_proj` });
  };
  return {
    ...ends(config, { embed: `${prefix}embed_tokens` }),
    ...normViews(config, "ln_final", `${prefix}norm`),
    ...eachLayer(config, `${prefix}layers`, (at, from, layer) => ({
      ...Object.assign(
        {},
        ...Object.entries(norms).map(([ours, theirs]) =>
          normViews(config, `${at}.${ours}`, `${from}.${theirs}`),
        ),
      ),
      ...attention(`${at}.attn`, `${from}.self_attn`),
      ...qkNorms(config, `${at}.attn`, `${from}.self_attn`),
      ...(config.attn_sinks ? { [`${at}.attn.sinks`]: view(`${from}.self_attn.sinks`) } : {}),
      ...mlp(config, `${at}.mlp`, `${from}.mlp`, layer),
    })),
  };
}

export const plainMlp: NonNullable<LlamaNames["mlp"]> = (config, at, from) => {
  const names = { gate: `${from}.gate_proj`, in: `${from}.up_proj`, out: `${from}.down_proj` };
  return mlpViews(config, at, names, config.biases?.mlp !== false);
};

function qkNorms({ qk_norm }: ModelConfig, at: string, from: string): Record<string, View> {
  if (qk_norm === undefined) return {};
  return {
    [`${at}.q_norm.w`]: view(`${from}.q_norm.weight`),
    [`${at}.k_norm.w`]: view(`${from}.k_norm.weight`),
  };
}
