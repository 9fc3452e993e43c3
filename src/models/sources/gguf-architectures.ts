// Which architectures are read from GGUF, and in which words each of them speaks.
// Sources: gguf-py's tensor_mapping.py, convert_hf_to_gguf.py and llama.cpp's load_hparams.
import type { GgufLayout, GgufTold } from "./gguf-layout.ts";

const sizes = {
  block_count: "num_hidden_layers",
  context_length: "max_position_embeddings",
  embedding_length: "hidden_size",
  feed_forward_length: "intermediate_size",
  "attention.head_count": "num_attention_heads",
  "rope.freq_base": "rope_theta",
};
const grouped = { ...sizes, "attention.head_count_kv": "num_key_value_heads" };
const rmsSizes = { ...grouped, "attention.layer_norm_rms_epsilon": "rms_norm_eps" };
const normSizes = { "attention.layer_norm_epsilon": "layer_norm_eps" };
const optional = ["attention.head_count_kv", "rope.freq_base"];
const ignored = ["tensor_data_layout", "attention.causal"];

const attention = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
};
const gatedMlp = {
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};
const preNorms = { input_layernorm: "attn_norm", post_attention_layernorm: "ffn_norm" };
const postNorms = {
  post_attention_layernorm: "post_attention_norm",
  post_feedforward_layernorm: "post_ffw_norm",
};
const layersOf = (names: Readonly<Record<string, string>>) => ({ prefix: "model.layers.", names });

const llamaLike = {
  config: { hidden_act: "silu" },
  keys: rmsSizes,
  optional,
  ignored,
  headDim: true,
  names: { "model.embed_tokens": "token_embd", "model.norm": "output_norm", lm_head: "output" },
  layers: layersOf({ ...preNorms, ...attention, ...gatedMlp }),
} satisfies Omit<GgufLayout, "type">;
const attentionBias = { attention_bias: "blk.0.attn_q.bias" };
const bothBiases = { ...attentionBias, mlp_bias: "blk.0.ffn_gate.bias" };

const gemma: GgufLayout = {
  ...llamaLike,
  type: "gemma",
  config: { hidden_activation: "gelu_pytorch_tanh" },
  biases: attentionBias,
  wholeNorms: true,
};
const sandwich = layersOf({
  ...attention,
  ...gatedMlp,
  ...postNorms,
  input_layernorm: "attn_norm",
  pre_feedforward_layernorm: "ffn_norm",
});

/** The file does not say by what scores are divided: llama.cpp knows the one size that differs. */
const scoreScale = ({ n_layers, d_model, n_heads, d_head }: GgufTold, layersOf27B: number) =>
  n_layers === layersOf27B ? Math.floor(d_model / n_heads) : d_head;

/** Every n-th layer sees all, or a list says which do not. */
function windowPattern({ get, n_layers }: GgufTold, usual: number) {
  const told = get("attention.sliding_window_pattern") ?? usual;
  const slides = (layer: number): boolean =>
    typeof told === "number" ? (layer + 1) % told !== 0 : Boolean((told as unknown[])[layer]);
  return Array.from({ length: n_layers }, (_, layer) =>
    slides(layer) ? "sliding_attention" : "full_attention",
  );
}

const phiMlp = { "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down" };

/** By `general.architecture`. Mistral is `llama`. */
export const ggufLayouts: Readonly<Record<string, GgufLayout>> = {
  llama: { ...llamaLike, type: "llama", biases: bothBiases, permuted: true },
  qwen2: { ...llamaLike, type: "qwen2" },
  qwen3: { ...llamaLike, type: "qwen3", biases: attentionBias },
  gemma,
  gemma2: {
    ...gemma,
    type: "gemma2",
    layers: sandwich,
    more: (told) => ({
      query_pre_attn_scalar: scoreScale(told, 46),
      // Older files lack them: the values that llama.cpp has for such.
      attn_logit_softcapping: told.number("attn_logit_softcapping") ?? 50,
      final_logit_softcapping: told.number("final_logit_softcapping") ?? 30,
      sliding_window: told.number("attention.sliding_window") ?? 4096,
      layer_types: windowPattern(told, 2),
    }),
  },
  gemma3: {
    ...gemma,
    type: "gemma3_text",
    layers: sandwich,
    more: (told) => ({
      query_pre_attn_scalar: scoreScale(told, 62),
      final_logit_softcapping: told.number("final_logit_softcapping") || null,
      sliding_window: told.number("attention.sliding_window") || null,
      layer_types: windowPattern(told, 6),
      rope_local_base_freq: told.number("rope.freq_base_swa") ?? 10000,
    }),
  },
  phi2: {
    type: "phi",
    config: { hidden_act: "gelu_new" },
    keys: { ...grouped, ...normSizes },
    optional,
    ignored,
    names: {
      "model.embed_tokens": "token_embd",
      "model.final_layernorm": "output_norm",
      lm_head: "output",
    },
    layers: layersOf({
      ...attention,
      ...phiMlp,
      input_layernorm: "attn_norm",
      "self_attn.dense": "attn_output",
    }),
  },
  phi3: {
    ...llamaLike,
    type: "phi3",
    layers: layersOf({
      ...preNorms,
      "self_attn.qkv_proj": "attn_qkv",
      "self_attn.o_proj": "attn_output",
      "mlp.gate_up_proj": "ffn_up",
      "mlp.down_proj": "ffn_down",
    }),
    // 0 stands for none.
    more: ({ number }) => ({ sliding_window: number("attention.sliding_window") || null }),
  },
  olmo2: {
    ...llamaLike,
    type: "olmo2",
    biases: attentionBias,
    layers: layersOf({ ...attention, ...gatedMlp, ...postNorms }),
  },
  stablelm: {
    ...llamaLike,
    type: "stablelm",
    keys: { ...grouped, ...normSizes },
    biases: { use_qkv_bias: "blk.0.attn_q.bias" },
    // The key says yes also where nobody knew; the norm is there or not.
    ignored: [...ignored, "use_parallel_residual"],
    more: ({ has }) => ({ use_parallel_residual: !has("blk.0.ffn_norm.weight") }),
  },
  granite: {
    ...llamaLike,
    type: "granite",
    biases: bothBiases,
    permuted: true,
    keys: {
      ...rmsSizes,
      "attention.scale": "attention_multiplier",
      embedding_scale: "embedding_multiplier",
      residual_scale: "residual_multiplier",
      logit_scale: "logits_scaling",
    },
  },
  smollm3: {
    ...llamaLike,
    type: "smollm3",
    biases: bothBiases,
    permuted: true,
    // llama.cpp's own number: files do not say it.
    config: { ...llamaLike.config, no_rope_layer_interval: 4 },
  },
  gptneox: {
    type: "gpt_neox",
    // As Pythia; files do not say it.
    config: { hidden_act: "gelu" },
    keys: { ...sizes, ...normSizes },
    optional,
    ignored: [...ignored, "attention.head_count_kv"],
    biases: { attention_bias: "blk.0.attn_qkv.bias" },
    headsApart: true,
    more: ({ get }) => ({ use_parallel_residual: get("use_parallel_residual") ?? true }),
    names: {
      "gpt_neox.embed_in": "token_embd",
      "gpt_neox.final_layer_norm": "output_norm",
      embed_out: "output",
    },
    layers: {
      prefix: "gpt_neox.layers.",
      names: {
        ...preNorms,
        "attention.query_key_value": "attn_qkv",
        "attention.dense": "attn_output",
        "mlp.dense_h_to_4h": "ffn_up",
        "mlp.dense_4h_to_h": "ffn_down",
      },
    },
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
