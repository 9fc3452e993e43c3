// How llama.cpp names the tensors of each architecture, and how they are stored otherwise than on the hub.
// Sources: gguf-py's tensor_mapping.py and convert_hf_to_gguf.py.
import { keyValueHeads, type ModelConfig } from "../config.ts";
import type { Family } from "../families/family.ts";
import { reshaped, transposed, type View, type ViewStep } from "../views.ts";

export interface GgufLayout {
  /** `model_type` of a config.json. */
  readonly type: string;
  readonly gpt2: boolean;
  /** What such a config.json always says. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Key of the metadata, behind the architecture → key of config.json. */
  readonly keys: Readonly<Record<string, string>>;
  /** Those of them that llama.cpp has a value for. */
  readonly optional: readonly string[];
  /** Keys that change nothing that is computed. */
  readonly ignored: readonly string[];
  /** Setting → the tensor that tells it. */
  readonly biases?: Readonly<Record<string, string>>;
  /** Names on the hub → names in GGUF. */
  readonly names: Readonly<Record<string, string>>;
  /** Names on the hub, `N` for a layer. */
  readonly layers: { readonly prefix: string; readonly names: Readonly<Record<string, string>> };
  /** Rows of queries and keys stand so that neighbours turn together, not halves. */
  readonly permuted?: boolean;
}

const sizes = {
  block_count: "num_hidden_layers",
  context_length: "max_position_embeddings",
  embedding_length: "hidden_size",
  feed_forward_length: "intermediate_size",
  "attention.head_count": "num_attention_heads",
  "attention.head_count_kv": "num_key_value_heads",
  "attention.layer_norm_rms_epsilon": "rms_norm_eps",
  "rope.freq_base": "rope_theta",
};
const ignored = ["tensor_data_layout", "use_parallel_residual", "attention.causal"];

const llamaNames: Omit<GgufLayout, "type" | "config"> = {
  gpt2: false,
  keys: sizes,
  optional: ["attention.head_count_kv", "rope.freq_base"],
  ignored,
  names: {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    lm_head: "output",
  },
  layers: {
    prefix: "model.layers.",
    names: {
      input_layernorm: "attn_norm",
      post_attention_layernorm: "ffn_norm",
      "self_attn.q_proj": "attn_q",
      "self_attn.k_proj": "attn_k",
      "self_attn.v_proj": "attn_v",
      "self_attn.o_proj": "attn_output",
      "self_attn.q_norm": "attn_q_norm",
      "self_attn.k_norm": "attn_k_norm",
      "mlp.gate_proj": "ffn_gate",
      "mlp.up_proj": "ffn_up",
      "mlp.down_proj": "ffn_down",
    },
  },
};

/** By `general.architecture`. */
export const ggufLayouts: Readonly<Record<string, GgufLayout>> = {
  llama: {
    ...llamaNames,
    type: "llama",
    config: { hidden_act: "silu" },
    biases: { attention_bias: "blk.0.attn_q.bias", mlp_bias: "blk.0.ffn_gate.bias" },
    permuted: true,
  },
  qwen2: { ...llamaNames, type: "qwen2", config: { hidden_act: "silu" } },
  qwen3: {
    ...llamaNames,
    type: "qwen3",
    config: { hidden_act: "silu" },
    biases: { attention_bias: "blk.0.attn_q.bias" },
  },
  gpt2: {
    type: "gpt2",
    gpt2: true,
    config: { activation_function: "gelu_new" },
    keys: {
      block_count: "n_layer",
      context_length: "n_positions",
      embedding_length: "n_embd",
      feed_forward_length: "n_inner",
      "attention.head_count": "n_head",
      "attention.layer_norm_epsilon": "layer_norm_epsilon",
    },
    optional: [],
    ignored: [...ignored, "attention.head_count_kv"],
    names: {
      "transformer.wte": "token_embd",
      "transformer.wpe": "position_embd",
      "transformer.ln_f": "output_norm",
      lm_head: "output",
    },
    layers: {
      prefix: "transformer.h.",
      names: {
        ln_1: "attn_norm",
        "attn.c_attn": "attn_qkv",
        "attn.c_proj": "attn_output",
        ln_2: "ffn_norm",
        "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down",
      },
    },
  },
};

/** `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`; undefined: it has none. */
export function ggufName({ names, layers }: GgufLayout, name: string): string | undefined {
  const [, stem, end] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  if (stem === undefined) return undefined;
  const plain = names[stem];
  if (plain !== undefined) return `${plain}.${end}`;
  if (!stem.startsWith(layers.prefix)) return undefined;
  const [, layer, part] = /^(\d+)\.(.*)$/.exec(stem.slice(layers.prefix.length)) ?? [];
  const found = layers.names[part ?? ""];
  return found === undefined ? undefined : `blk.${layer}.${found}.${end}`;
}

/** The family's views of a checkpoint of the hub, seen through the names and layout of GGUF. */
export function ggufViews(
  family: Family,
  layout: GgufLayout,
  config: ModelConfig,
  has: (tensor: string) => boolean,
): Record<string, View> {
  const named = (name: string): string => ggufName(layout, name) ?? name;
  const views = family.weights(config, (name) => has(named(name)));
  return Object.fromEntries(
    Object.entries(views).map(([weight, { tensor, steps }]) => {
      const name = named(tensor);
      const all = slicesFirst([...stepsToHub(layout, config, name), ...steps]);
      return [weight, { tensor: name, steps: all }];
    }),
  );
}

/** From the tensor of the GGUF file to the one that the hub has. */
function stepsToHub(layout: GgufLayout, config: ModelConfig, name: string): ViewStep[] {
  // GPT-2 keeps its products as [in, out]; llama.cpp all as [out, in].
  if (layout.gpt2 && /^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name))
    return [transposed(1, 0)];
  const [, part, end] = /\.attn_([qk])\.(weight|bias)$/.exec(name) ?? [];
  if (layout.permuted !== true || part === undefined) return [];
  const { n_heads, d_head, d_model } = config;
  const heads = part === "q" ? n_heads : keyValueHeads(config);
  // [head, pair, which of two, …] → [head, which half, place in it, …]
  return end === "weight"
    ? [
        reshaped(heads, d_head / 2, 2, d_model),
        transposed(0, 2, 1, 3),
        reshaped(heads * d_head, d_model),
      ]
    : [reshaped(heads, d_head / 2, 2), transposed(0, 2, 1), reshaped(heads * d_head)];
}

/** A part of what was turned is the turned part: so the rest of the tensor is never read. */
function slicesFirst(steps: readonly ViewStep[]): ViewStep[] {
  const [first, second, ...rest] = steps;
  if (first?.kind !== "transpose" || second?.kind !== "slice") return [...steps];
  return [{ ...second, axis: first.perm[second.axis]! }, first, ...rest];
}
