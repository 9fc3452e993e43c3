"""Which tiny models stand for each family: every multiplier differs from its neutral value."""

COMMON = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
GPT2 = dict(n_embd=16, n_layer=2, n_head=2, n_positions=24, vocab_size=48, layer_norm_epsilon=0.03)
# head_dim is not hidden_size / heads, where the family allows it.
LLAMA = dict(
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=48,
    max_position_embeddings=24,
    rms_norm_eps=0.03,
)


def rope(base=500.0, **more):
    return {"rope_type": "default", "rope_theta": base, **more}


LLAMA3 = rope(
    rope_type="llama3",
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=12,
)
YARN = rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=6, beta_fast=4.0, beta_slow=0.5)
TEN = 10.0

# name → (transformers' config class, its settings, whether TransformerLens has it)
CASES = {
    "gpt2": ("GPT2Config", {**GPT2, "scale_attn_by_inverse_layer_idx": True}, True),
    "gpt2-unscaled": ("GPT2Config", {**GPT2, "scale_attn_weights": False, "n_inner": 24}, False),
    "gpt_neox": (
        "GPTNeoXConfig",
        dict(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            vocab_size=48,
            max_position_embeddings=24,
            layer_norm_eps=0.03,
            use_parallel_residual=True,
            rope_parameters=rope(TEN, partial_rotary_factor=0.5),
        ),
        True,
    ),
    "gpt_neox-serial": (
        "GPTNeoXConfig",
        dict(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            vocab_size=48,
            max_position_embeddings=24,
            layer_norm_eps=0.03,
            use_parallel_residual=False,
            hidden_act="relu",
            attention_bias=False,
            rope_parameters=rope(TEN, partial_rotary_factor=0.5),
        ),
        False,
    ),
    "llama": ("LlamaConfig", {**LLAMA, "rope_parameters": rope(TEN)}, True),
    "llama-3.1": (
        "LlamaConfig",
        {**LLAMA, "rope_parameters": LLAMA3, "head_dim": 6, "attention_bias": True, "mlp_bias": True},
        False,
    ),
    "llama-tied-linear": (
        "LlamaConfig",
        {**LLAMA, "rope_parameters": rope(TEN, rope_type="linear", factor=3.0), "tie_word_embeddings": True},
        False,
    ),
    "llama-dynamic": (
        "LlamaConfig",
        {
            **LLAMA,
            "max_position_embeddings": 9,
            "rope_parameters": rope(TEN, rope_type="dynamic", factor=3.0),
        },
        False,
    ),
    "llama-yarn": ("LlamaConfig", {**LLAMA, "rope_parameters": {**YARN, "rope_theta": TEN}}, False),
    "mistral": (
        "MistralConfig",
        {**LLAMA, "sliding_window": 5, "head_dim": 6, "rope_parameters": rope(TEN)},
        True,
    ),
    "qwen2": (
        "Qwen2Config",
        {
            **LLAMA,
            "rope_parameters": rope(TEN),
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 1,
        },
        False,
    ),
    "qwen2.5": ("Qwen2Config", {**LLAMA, "rope_parameters": rope(TEN), "tie_word_embeddings": True}, True),
    "qwen3": ("Qwen3Config", {**LLAMA, "head_dim": 6, "rope_parameters": rope(TEN)}, True),
    "gemma": (
        "GemmaConfig",
        {**LLAMA, "head_dim": 6, "rope_parameters": rope(TEN), "hidden_activation": "gelu_pytorch_tanh"},
        True,
    ),
    "gemma2": (
        "Gemma2Config",
        {
            **LLAMA,
            "head_dim": 6,
            "rope_parameters": rope(TEN),
            "query_pre_attn_scalar": 11,
            "sliding_window": 5,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        True,
    ),
    "gemma3_text": (
        "Gemma3TextConfig",
        {
            **LLAMA,
            "num_hidden_layers": 3,
            "head_dim": 6,
            "rope_parameters": {
                "sliding_attention": rope(TEN),
                "full_attention": rope(700.0, rope_type="linear", factor=8.0),
            },
            "query_pre_attn_scalar": 11,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        },
        True,
    ),
    "gpt_neo": (
        "GPTNeoConfig",
        dict(
            hidden_size=16,
            num_layers=2,
            num_heads=2,
            attention_types=[[["global", "local"], 1]],
            window_size=5,
            vocab_size=48,
            max_position_embeddings=24,
            intermediate_size=24,
            layer_norm_epsilon=0.03,
        ),
        True,
    ),
    "gptj": ("GPTJConfig", {**GPT2, "rotary_dim": 4}, True),
    "opt": (
        "OPTConfig",
        dict(
            hidden_size=16,
            word_embed_proj_dim=16,
            ffn_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            vocab_size=48,
            max_position_embeddings=24,
            activation_function="relu",
        ),
        True,
    ),
    "phi": (
        "PhiConfig",
        dict(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            vocab_size=48,
            max_position_embeddings=24,
            layer_norm_eps=0.03,
            rope_parameters=rope(TEN, partial_rotary_factor=0.5),
        ),
        True,
    ),
    "phi3": ("Phi3Config", {**LLAMA, "rope_parameters": rope(TEN), "sliding_window": 5}, True),
    "phi3-longrope": (
        "Phi3Config",
        {
            **LLAMA,
            "original_max_position_embeddings": 10,
            "rope_parameters": rope(
                TEN,
                rope_type="longrope",
                short_factor=[1.1, 1.3],
                long_factor=[2.0, 3.0],
                original_max_position_embeddings=10,
                partial_rotary_factor=1.0,
            ),
        },
        False,
    ),
    "olmo2": (
        "Olmo2Config",
        {**LLAMA, "num_key_value_heads": 4, "rope_parameters": rope(TEN)},
        True,
    ),
    "olmo2-grouped": (
        "Olmo2Config",
        {**LLAMA, "rope_parameters": rope(TEN), "attention_bias": True},
        False,
    ),
    "smollm3": (
        "SmolLM3Config",
        {
            **LLAMA,
            "rope_parameters": rope(TEN),
            "no_rope_layers": [1, 0],
            "no_rope_layer_interval": 2,
            "use_sliding_window": False,
            "tie_word_embeddings": True,
        },
        False,
    ),
    "stablelm": (
        "StableLmConfig",
        dict(
            hidden_size=16,
            intermediate_size=20,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            vocab_size=48,
            max_position_embeddings=24,
            layer_norm_eps=0.03,
            use_qkv_bias=True,
            rope_parameters=rope(TEN, partial_rotary_factor=0.5),
        ),
        False,
    ),
    "stablelm-parallel": (
        "StableLmConfig",
        dict(
            hidden_size=16,
            intermediate_size=20,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=48,
            max_position_embeddings=24,
            layer_norm_eps=0.03,
            use_qkv_bias=False,
            use_parallel_residual=True,
            rope_parameters=rope(TEN, partial_rotary_factor=0.5),
        ),
        False,
    ),
    "mixtral": (
        "MixtralConfig",
        {
            **LLAMA,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": 5,
            "rope_parameters": rope(TEN),
        },
        True,
    ),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        {
            **LLAMA,
            "num_hidden_layers": 3,
            "head_dim": 6,
            "moe_intermediate_size": 12,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [1],
            "rope_parameters": rope(TEN),
        },
        False,
    ),
    "gpt_oss": (
        "GptOssConfig",
        {
            **LLAMA,
            "head_dim": 6,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {**YARN, "truncate": False},
        },
        True,
    ),
    "granite": (
        "GraniteConfig",
        {
            **LLAMA,
            "rope_parameters": rope(TEN),
            "embedding_multiplier": 1.7,
            "residual_multiplier": 0.6,
            "attention_multiplier": 0.3,
            "logits_scaling": 0.7,
        },
        False,
    ),
}
