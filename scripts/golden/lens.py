"""How a tiny Hugging Face model becomes a HookedTransformer of TransformerLens, weights unprocessed."""

from unittest import mock

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.loading_from_pretrained import (
    convert_hf_model_config,
    get_pretrained_state_dict,
)
from transformers import AutoConfig

# TransformerLens knows these by name only: the settings of a real one, and the sizes of ours.
NAMED = {
    "llama": "meta-llama/Llama-3.2-1B",
    "gemma": "google/gemma-2b",
    "gemma2": "google/gemma-2-2b",
    "gemma3_text": "google/gemma-3-1b-pt",
    "olmo2": "allenai/OLMo-2-0425-1B",
}


def hooked(model, case, place):
    config = model.config
    if case == "phi":
        type(config).partial_rotary_factor = config.rope_parameters["partial_rotary_factor"]
    # TransformerLens asks the hub for some configs; nothing here may need a network.
    if case == "olmo2":
        config.architectures = ["Olmo2ForCausalLM"]
        with mock.patch.object(AutoConfig, "from_pretrained", lambda *_, **__: config):
            settings = convert_hf_model_config(NAMED[case])
    else:
        settings = convert_hf_model_config(NAMED.get(case, place))
    settings.pop("load_in_4bit", None)
    settings.update(device="cpu", dtype=torch.float32, init_weights=False, tokenizer_name=None)
    settings.setdefault("model_name", case)
    if case in NAMED:
        settings.update(sizes(config, case))
    settings.update(fixes(config, case))
    settings["use_attn_result"] = True
    fields = HookedTransformerConfig.__dataclass_fields__
    cfg = HookedTransformerConfig(**{k: v for k, v in settings.items() if k in fields})
    lens = HookedTransformer(cfg)
    state = get_pretrained_state_dict(place, cfg, hf_model=model)
    lens.load_and_process_state_dict(
        {k: v.detach().clone() for k, v in state.items()},
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    lens.set_use_attn_result(True)
    return lens.eval()


def sizes(config, case):
    made = dict(
        n_layers=config.num_hidden_layers,
        d_model=config.hidden_size,
        n_heads=config.num_attention_heads,
        n_key_value_heads=config.num_key_value_heads,
        d_head=getattr(config, "head_dim", config.hidden_size // config.num_attention_heads),
        d_mlp=config.intermediate_size,
        d_vocab=config.vocab_size,
        d_vocab_out=config.vocab_size,
        n_ctx=config.max_position_embeddings,
        eps=config.rms_norm_eps,
    )
    if made["n_key_value_heads"] == made["n_heads"]:
        made["n_key_value_heads"] = None
    made["rotary_dim"] = made["d_head"]
    rope = config.rope_parameters
    if case == "gemma3_text":
        made["rotary_base"] = rope["full_attention"]["rope_theta"]
        made["rotary_base_local"] = rope["sliding_attention"]["rope_theta"]
        made["rotary_scaling_factor"] = rope["full_attention"]["factor"]
        made["attn_types"] = [t.replace("full_attention", "global").replace("sliding_attention", "local") for t in config.layer_types]
    else:
        made["rotary_base"] = rope["rope_theta"]
        made["use_NTK_by_parts_rope"] = False
    if case == "gemma2":
        made["attn_types"] = ["local", "global"]
        made["attn_scores_soft_cap"] = config.attn_logit_softcapping
        made["output_logits_soft_cap"] = config.final_logit_softcapping
    if case.startswith("gemma") and case != "gemma":
        made["window_size"] = config.sliding_window
        made["attn_scale"] = config.query_pre_attn_scalar**0.5
    return made


def fixes(config, case):
    """What TransformerLens fixes by family and ours varies."""
    made = {}
    for name in ("layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps"):
        if hasattr(config, name):
            made["eps"] = getattr(config, name)
    if case.startswith("gemma"):
        made["act_fn"] = "gelu_pytorch_tanh"
    if case == "gpt_neo":
        made["d_mlp"] = config.intermediate_size
    if case in ("gpt_neox", "phi", "mixtral"):
        made["rotary_base"] = config.rope_parameters["rope_theta"]
    return made
