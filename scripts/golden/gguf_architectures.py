"""Tiny models of every architecture that is read from GGUF, written by llama.cpp's own converter.

    python scripts/golden/gguf_architectures.py path/of/convert_hf_to_gguf.py

Writes test/golden/checkpoints/{gemma,…}.gguf and gguf-architectures.json with transformers' logits.
No tokenizer: those are in checkpoints.py. Needs: torch 2.13, transformers 5.23, gguf 0.19.
"""
import importlib.util
import json
import os
import pathlib
import re
import sys
import tempfile

import gguf
import torch
import transformers
from safetensors.torch import save_file

OUT = pathlib.Path("test/golden/checkpoints")
os.environ["NO_LOCAL_GGUF"] = "1"
spec = importlib.util.spec_from_file_location("convert", sys.argv[1])
convert = importlib.util.module_from_spec(spec)
sys.modules["convert"] = convert
spec.loader.exec_module(convert)

SIZES = dict(hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=48, max_position_embeddings=24, bos_token_id=1, eos_token_id=2, pad_token_id=0)
RMS = dict(SIZES, rms_norm_eps=0.03)
LN = dict(SIZES, layer_norm_eps=0.03)
# The converter writes no base for some: those have the usual one, of which only tiny angles would be seen.
BASE = 10000.0


def rope(base, **more):
    return {"rope_type": "default", "rope_theta": base, **more}


# name → architecture, config, what an older config.json says besides, file type, converter's settings
CASES = {
    "gemma": ("Gemma", dict(RMS, head_dim=6, rope_parameters=rope(BASE), hidden_activation="gelu_pytorch_tanh"), {}),
    "gemma2": ("Gemma2", dict(RMS, num_hidden_layers=3, head_dim=6, rope_parameters=rope(BASE), sliding_window=5,
                              query_pre_attn_scalar=6, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), {}),
    "gemma3": ("Gemma3", dict(RMS, num_hidden_layers=7, head_dim=6, query_pre_attn_scalar=6, sliding_window=5,
                              sliding_window_pattern=6,
                              rope_parameters={"sliding_attention": rope(BASE), "full_attention": rope(
                                  700.0, rope_type="linear", factor=8.0)}),
               dict(rope_theta=700.0, rope_scaling={"rope_type": "linear", "factor": 8.0})),
    "phi2": ("Phi", dict(LN, intermediate_size=64, num_key_value_heads=4,
                         rope_parameters=rope(BASE, partial_rotary_factor=0.5)), dict(partial_rotary_factor=0.5)),
    "phi2-stacked": ("Phi", dict(LN, intermediate_size=64, num_key_value_heads=4, num_hidden_layers=1,
                                 rope_parameters=rope(BASE, partial_rotary_factor=0.5)),
                     dict(partial_rotary_factor=0.5)),
    "phi3": ("Phi3", dict(RMS, rope_parameters=rope(10.0), sliding_window=5, original_max_position_embeddings=24),
             dict(rope_theta=10.0)),
    "phi3-longrope": ("Phi3", dict(RMS, original_max_position_embeddings=10, rope_parameters=rope(
        10.0, rope_type="longrope", short_factor=[1.1, 1.3], long_factor=[2.0, 3.0],
        original_max_position_embeddings=10)),
        dict(rope_theta=10.0, rope_scaling=dict(type="longrope", short_factor=[1.1, 1.3], long_factor=[2.0, 3.0]))),
    "gptneox": ("GPTNeoX", dict({k: v for k, v in LN.items() if k != "num_key_value_heads"}, num_attention_heads=2,
                                rope_parameters=rope(BASE, partial_rotary_factor=0.5)), dict(rotary_pct=0.5)),
    "gptneox-serial": ("GPTNeoX", dict(
        {k: v for k, v in LN.items() if k != "num_key_value_heads"}, num_attention_heads=2,
        use_parallel_residual=False, rope_parameters=rope(BASE, partial_rotary_factor=0.25)), dict(rotary_pct=0.25)),
    "olmo2": ("Olmo2", dict(RMS, rope_parameters=rope(10.0)), dict(rope_theta=10.0)),
    "stablelm": ("StableLm", dict(LN, use_qkv_bias=True, use_parallel_residual=False,
                                  rope_parameters=rope(BASE, partial_rotary_factor=0.5)),
                 dict(partial_rotary_factor=0.5)),
    "stablelm-parallel": ("StableLm", dict(LN, use_parallel_residual=True,
                                           rope_parameters=rope(BASE, partial_rotary_factor=0.5)),
                          dict(partial_rotary_factor=0.5)),
    "granite": ("Granite", dict(RMS, rope_parameters=rope(10.0), embedding_multiplier=3.0, residual_multiplier=0.22,
                                attention_multiplier=0.4, logits_scaling=4.0), dict(rope_theta=10.0)),
    "mistral": ("Mistral", dict(RMS, head_dim=6, rope_parameters=rope(10.0), sliding_window=None),
                dict(rope_theta=10.0)),
    "smollm3": ("SmolLM3", dict(RMS, num_hidden_layers=4, rope_parameters=rope(10.0), no_rope_layers=[1, 1, 1, 0],
                                no_rope_layer_interval=4, tie_word_embeddings=True), dict(rope_theta=10.0)),
    "split": ("Qwen3", dict(RMS, head_dim=6, rope_parameters=rope(10.0)), dict(rope_theta=10.0)),
}


class SmolLM3Model(convert.LlamaModel):
    """As in later versions of the converter."""
    model_arch = gguf.MODEL_ARCH.SMOLLM3


class StackedPhiModel(convert.Phi2Model):
    """As of a Phi whose queries, keys and values were one product (before it came to transformers)."""
    model_arch = gguf.MODEL_ARCH.PHI2

    def modify_tensors(self, data_torch, name, bid):
        if not re.search("[qkv]_proj", name):
            return super().modify_tensors(data_torch, name, bid)
        kept = self.__dict__.setdefault("kept", {})
        kept[name] = data_torch
        parts = [re.sub("[qkv]_proj", f"{part}_proj", name) for part in "qkv"]
        if not all(part in kept for part in parts):
            return []
        return [(f"blk.{bid}.attn_qkv.{name.split('.')[-1]}", torch.cat([kept[part] for part in parts]))]


def converter(file, name):
    if name == "SmolLM3":
        return SmolLM3Model
    if file == "phi2-stacked":
        return StackedPhiModel
    return convert.ModelBase.from_model_architecture(f"{name}ForCausalLM", model_type=convert.ModelType.TEXT)


def made(name, settings):
    prefix = "Gemma3Text" if name == "Gemma3" else name
    config = getattr(transformers, f"{prefix}Config")(**settings)
    config._attn_implementation = "eager"
    torch.manual_seed(11)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    for key, p in model.named_parameters():
        one = 1 if "norm" in key and not name.startswith("Gemma") else 0
        p.data = torch.randn(p.shape) * (0.3 if p.ndim == 2 else 0.2) + (one if key.endswith("weight") else 0)
    return model


def write(file, name, settings, older):
    model = made(name, settings)
    config = model.config.to_dict()
    for key in ("rope_parameters", "rope_scaling", *(k for k, v in config.items() if v is None)):
        config.pop(key, None)
    config.update(older, architectures=[f"{name}ForCausalLM"])
    tied = config.get("tie_word_embeddings")
    with tempfile.TemporaryDirectory() as folder:
        state = {k: v.contiguous().clone() for k, v in model.state_dict().items() if k != "lm_head.weight" or not tied}
        save_file(state, f"{folder}/model.safetensors", {"format": "pt"})
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        kind = converter(file, name)
        kind.set_vocab = lambda self: self.gguf_writer.add_tokenizer_model("none")
        kind._create_vocab_sentencepiece = lambda self: ([None] * settings["vocab_size"], [], [])
        kind(pathlib.Path(folder), gguf.LlamaFileType.ALL_F32, OUT / f"{file}.gguf", eager=True, hparams=config,
             model_name=file, split_max_tensors=10 if file == "split" else 0).write()
    tokens = torch.randint(0, settings["vocab_size"], (1, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return {"tokens": tokens[0].tolist(), "logits": model(tokens).logits[0, -1].tolist(), "encodings": []}


if __name__ == "__main__":
    cases = {file: write(file, *case) for file, case in CASES.items()}
    (OUT / "gguf-architectures.json").write_text(json.dumps(cases))
