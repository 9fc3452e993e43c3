"""Tiny models in GGUF (as llama.cpp's convert_hf_to_gguf.py writes them) and as PyTorch files.

Writes test/golden/checkpoints/. transformers' own reader of GGUF has to read the same weights back.
Needs: torch 2.13, transformers 5.23, tokenizers 0.23.3, gguf 0.19.
"""
import json
import pathlib
import re

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, normalizers, trainers
from transformers import (AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
                          Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

OUT = pathlib.Path("test/golden/checkpoints")
FAMILIES = pathlib.Path("test/golden/families")
OUT.mkdir(exist_ok=True)
CORPUS = [
    "The moss grows on the north side of the stone, and the lichen grows on the south side.",
    "In 1925 the naturalist counted 312 snails; it wasn't 17 beetles, and no fewer than 4,096 ants!",
] * 3
TEXTS = ["", "The moss grows.", " two  spaces\n\n", "it wasn't 4096", "é 細 🙂", "<|end|>stone", "IT'S 12345"]
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|"
         r"\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(pre):
    tokenizer = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
    split = {"qwen2": r"\p{N}", "llama-bpe": r"\p{N}{1,3}"}.get(pre)
    if split is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(WORDS % split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=sorted(alphabet), show_progress=False))
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    return tokenizer


def add_byte_level(writer, pre):
    tokenizer = byte_level(pre)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if t == "<|end|>" else 1 for t in tokens])
    writer.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in model["merges"]])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    return [{"text": t, "ids": tokenizer.encode(t).ids} for t in TEXTS]


def add_scores(writer):
    golden = json.loads(pathlib.Path("test/golden/text/sentencepiece.json").read_text())
    writer.add_tokenizer_model("llama")
    writer.add_token_list(golden["entries"])
    writer.add_token_scores(golden["scores"])
    writer.add_token_types([2, 3, 3] + [6 if e.startswith("<0x") else 1 for e in golden["entries"][3:]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    return [{"text": c["text"], "ids": c["ids"]} for c in golden["cases"][:12]]


def permute(w, n_head):
    """LlamaModel.permute of convert_hf_to_gguf.py."""
    return w.reshape(n_head, 2, w.shape[0] // n_head // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def write(name, model, arch, kind, tokenizer):
    config = model.config
    layers = config.num_hidden_layers
    writer = gguf.GGUFWriter(OUT / f"{name}.gguf", arch)
    writer.add_block_count(layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_head_count(config.num_attention_heads)
    if arch == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_vocab_size(config.vocab_size)
        if getattr(config, "head_dim", None):
            writer.add_key_length(config.head_dim)
            writer.add_value_length(config.head_dim)
        writer.add_rope_dimension_count(getattr(config, "head_dim", None) or
                                        config.hidden_size // config.num_attention_heads)
    cases = add_scores(writer) if tokenizer == "llama" else [] if tokenizer is None else add_byte_level(writer, tokenizer)
    llama3 = arch != "gpt2" and config.rope_parameters["rope_type"] == "llama3"
    if llama3:
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    names = gguf.get_tensor_name_map(writer_arch(arch), layers)
    stored = {}
    for key, value in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        w = value.float().numpy()
        if arch == "llama" and re.search(r"[qk]_proj\.(weight|bias)$", key):
            w = permute(w, config.num_attention_heads if "q_proj" in key else config.num_key_value_heads)
        if arch == "gpt2" and re.search("c_(attn|proj|fc).weight$", key):
            w = w.T
        new = names.get_name(key, try_suffixes=(".weight", ".bias"))
        w = np.ascontiguousarray(w)
        half = kind if w.ndim == 2 and "position_embd" not in new else "F32"
        qtype = getattr(gguf.GGMLQuantizationType, half)
        data = gguf.quants.quantize(w, qtype)
        writer.add_tensor(new, data, raw_dtype=qtype)
        w = gguf.quants.dequantize(data, qtype)
        stored[key] = w.T if arch == "gpt2" and re.search("c_(attn|proj|fc).weight$", key) else w
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    back = model
    # transformers misses the factors of Llama 3, key_length and context_length.
    if llama3:
        assert kind == "F32"
    elif arch in ("qwen3", "gpt2"):
        back.load_state_dict({k: torch.tensor(v) for k, v in stored.items()}, strict=False)
    else:
        back = AutoModelForCausalLM.from_pretrained(OUT, gguf_file=f"{name}.gguf", attn_implementation="eager").eval()
    for key, value in model.state_dict().items():
        error = (back.state_dict()[key] - value).abs().max().item()
        assert error <= {"F32": 0, "F16": 1e-3, "Q8_0": 0.02}[kind], (name, key, error)
    tokens = torch.randint(0, config.vocab_size, (1, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = back(tokens).logits[0]
    return {"tokens": tokens[0].tolist(), "logits": logits[-1].tolist(), "encodings": cases}


def writer_arch(arch):
    return {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch]


def made(config, cls):
    torch.manual_seed(3)
    model = cls(config).eval()
    for key, p in model.named_parameters():
        p.data = torch.randn(p.shape) * (0.3 if p.ndim == 2 else 0.2) + (1 if "norm" in key or "ln_" in key else 0)
    return model


def families_llama(name="llama"):
    config = LlamaConfig.from_pretrained(FAMILIES / name)
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config)
    model.load_state_dict(load_file(FAMILIES / name / "model.safetensors"), strict=False)
    return model.eval()


def rope_factors(config):
    """LlamaModel.generate_extra_tensors of convert_hf_to_gguf.py."""
    rope = config.rope_parameters
    dim = config.head_dim
    freqs = 1.0 / (rope["rope_theta"] ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    original = rope["original_max_position_embeddings"]
    factors = []
    for freq in freqs:
        wavelength = 2 * np.pi / freq
        if wavelength < original / high:
            factors.append(1)
        elif wavelength > original / low:
            factors.append(factor)
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def torch_files():
    state = load_file(FAMILIES / "llama/model.safetensors")
    torch.save(state, OUT / "llama.bin")
    half = {k: v.to(torch.bfloat16) for k, v in state.items()}
    torch.save(half, OUT / "llama-bfloat16.pt", _use_new_zipfile_serialization=False)
    keys = sorted(state)
    shards = {f"pytorch_model-0000{i + 1}-of-00002.bin": keys[i::2] for i in range(2)}
    for file, own in shards.items():
        torch.save({k: state[k] for k in own}, OUT / file)
    index = {"metadata": {}, "weight_map": {k: file for file, own in shards.items() for k in own}}
    (OUT / "pytorch_model.bin.index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    small = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=24, rms_norm_eps=0.03,
                 rope_parameters={"rope_type": "default", "rope_theta": 10.0})
    n_spm = len(json.loads(pathlib.Path("test/golden/text/sentencepiece.json").read_text())["entries"])
    cases = {
        "llama-f32": write("llama-f32", families_llama(), "llama", "F32", None),
        "llama-3.1-f32": write("llama-3.1-f32", families_llama("llama-3.1"), "llama", "F32", None),
        "llama-q8_0": write("llama-q8_0", made(LlamaConfig(**small, vocab_size=n_spm, tie_word_embeddings=True),
                                               LlamaForCausalLM), "llama", "Q8_0", "llama"),
        "qwen2-f16": write("qwen2-f16", made(Qwen2Config(**small, vocab_size=281, tie_word_embeddings=True),
                                             Qwen2ForCausalLM), "qwen2", "F16", "qwen2"),
        "qwen3-q8_0": write("qwen3-q8_0", made(Qwen3Config(**small, head_dim=16, vocab_size=281),
                                               Qwen3ForCausalLM), "qwen3", "Q8_0", "llama-bpe"),
        "gpt2-f16": write("gpt2-f16", made(GPT2Config(n_embd=32, n_layer=1, n_head=2, n_positions=24, vocab_size=281,
                                                      layer_norm_epsilon=0.03), GPT2LMHeadModel), "gpt2", "F16", "gpt-2"),
    }
    torch_files()
    (OUT / "gguf.json").write_text(json.dumps(cases))
