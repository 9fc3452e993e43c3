"""What Hugging Face computes on tiny random encoders: BERT, MiniLM, ViT, and both towers of CLIP.

python scripts/golden/encoders.py [case…] writes test/golden/encoders/<case>/: config.json and
model.safetensors as Hugging Face saves them, and a reference a tower with what is read (in:…),
outputs (out:…), the same with padding (pad:…) and with positions that are given (placed:…), and
every site (site:…). Float32 and eager; the metadata hold each output's distance from float64.
"""

import copy
import json
import os
import re
import shutil
import sys

import torch
import transformers
from encoders_sites import record
from families import save

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "test", "golden", "encoders")

SIZES = dict(
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=2,
    layer_norm_eps=0.03,
)
BERT = {**SIZES, "vocab_size": 48, "max_position_embeddings": 12}
TEXT = {**BERT, "bos_token_id": 1, "pad_token_id": 0, "projection_dim": 10, "eos_token_id": 40}
IMAGE = {**SIZES, "image_size": 12, "patch_size": 4, "projection_dim": 10}

# name → (transformers' class, its config's class, settings)
CASES = {
    "bert": ("BertForPreTraining", "BertConfig", BERT),
    "bert-mlm": (
        "BertForMaskedLM",
        "BertConfig",
        {**BERT, "type_vocab_size": 3, "hidden_act": "relu", "tie_word_embeddings": False},
    ),
    "bert-classifier": (
        "BertForSequenceClassification",
        "BertConfig",
        {**BERT, "num_labels": 5, "hidden_act": "gelu_new", "num_attention_heads": 4},
    ),
    "minilm": ("BertModel", "BertConfig", {**BERT, "num_hidden_layers": 3}),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        {**SIZES, "image_size": 12, "patch_size": 4, "num_labels": 5},
    ),
    "vit-pooler": (
        "ViTModel",
        "ViTConfig",
        {**SIZES, "image_size": [8, 12], "patch_size": [4, 3], "qkv_bias": False, "hidden_act": "relu"},
    ),
    "clip": (
        "CLIPModel",
        "CLIPConfig",
        {
            "text_config": TEXT,
            "vision_config": {**IMAGE, "num_attention_heads": 4, "num_hidden_layers": 3},
            "projection_dim": 10,
        },
    ),
    "clip-text": ("CLIPTextModelWithProjection", "CLIPTextConfig", {**TEXT, "eos_token_id": 2}),
    "clip-image": ("CLIPVisionModel", "CLIPVisionConfig", {**IMAGE, "hidden_act": "gelu"}),
}


def fill(model, seed):
    """Norm weights and biases are far from neutral, matrices large enough to matter."""
    rng = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=rng)
        if p.ndim == 0:
            x = torch.tensor(3.5)
        elif p.ndim == 1 and name.endswith("weight"):
            x = x * 0.4 + 1.0
        elif p.ndim == 1:
            x = x * 0.4
        elif re.search(r"embedding(s)?\.weight|position_embeddings|cls_token", name):
            x = x * 0.8
        else:
            x = x * (3.0 if re.search("classifier|cls[.]", name) else 1.5) / (p.numel() / p.shape[0]) ** 0.5
        p.data.copy_(x)


def text_outputs(model, case, feeds):
    of = dict(input_ids=feeds["tokens"], attention_mask=feeds.get("attention_mask"))
    of["position_ids"] = feeds.get("position_ids")
    if case.startswith("clip"):
        base = model.text_model(**of)
        whole = dict(embedding=model.text_projection(base.pooler_output))
        return dict(hidden=base.last_hidden_state, pooled=base.pooler_output, **whole)
    of["token_type_ids"] = feeds.get("token_types")
    base = (model if case == "minilm" else model.bert)(**of)
    hidden = base.last_hidden_state
    out = dict(hidden=hidden)
    out["pooled"] = hidden[:, 0] if base.pooler_output is None else base.pooler_output
    if case == "minilm":
        # sentence-transformers: Pooling (mean), Normalize.
        mask = feeds.get("attention_mask", torch.ones_like(feeds["tokens"]))[..., None].to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        out["embedding"] = torch.nn.functional.normalize(mean, p=2, dim=1)
    elif case == "bert":
        whole = model(**of)
        out.update(logits=whole.prediction_logits, nsp=whole.seq_relationship_logits)
    else:
        out["logits"] = model(**of).logits
    return out


def image_outputs(model, case, feeds):
    pixels = feeds["pixels"].to(next(model.parameters()).dtype)
    if case == "vit":
        base = model.vit(pixels)
        out = dict(pooled=base.last_hidden_state[:, 0], logits=model(pixels).logits)
    else:
        base = model.vision_model(pixels) if case == "clip" else model(pixels)
        out = dict(pooled=base.pooler_output)
    if case == "clip":
        out["embedding"] = model.visual_projection(base.pooler_output)
    return dict(hidden=base.last_hidden_state, **out)


def make(case):
    cls, config_cls, settings = CASES[case]
    config = getattr(transformers, config_cls)(**settings)
    build = lambda: getattr(transformers, cls)._from_config(copy.deepcopy(config), attn_implementation="eager")
    model = build().eval()
    fill(model, seed=sum(map(ord, case)))
    model.tie_weights()
    wide = build().double().eval()
    wide.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    wide.tie_weights()
    folder = os.path.join(OUT, case)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    for extra in set(os.listdir(folder)) - {"config.json", "model.safetensors"}:
        os.remove(os.path.join(folder, extra))
    if case == "minilm":
        sentence_files(folder)
    for tower in ("text", "image"):
        if case.startswith("vit") and tower == "text" or case == "clip-" + {"text": "image", "image": "text"}[tower]:
            continue
        if tower == "image" and (case.startswith("bert") or case == "minilm"):
            continue
        reference(case, tower, (model, wide), folder)


def reference(case, tower, models, folder):
    rng = torch.Generator().manual_seed(7)
    draw = lambda low, high, *shape: torch.randint(low, high, shape, generator=rng)
    outputs = text_outputs if tower == "text" else image_outputs
    out, meta = {}, {}

    def both(name, of, mask=None):
        with torch.no_grad():
            narrow, exact = [of(m) for m in models]
        for key, value in narrow.items():
            far = value.double() - exact[key]
            if mask is not None and value.ndim == 3:
                real = mask[..., None] == 1
                value, far = torch.where(real, value, 0), torch.where(real, far, 0)
            out[f"{name}:{key}"] = value.float()
            # In float64 Hugging Face makes NaN of rows that see nothing, and they spread.
            far = far.abs().max().item()
            meta[f"distance {name}:{key}"] = repr(far if far == far else 0.0)
            if key == "logits" and name != "pad:out":
                assert value.std() >= 1, f"{case}: {name} {key} is too small: {value.std()}"

    def fed(name, feeds, mask=None):
        out.update({f"{name}:{key}": value for key, value in feeds.items()})
        both("out" if name == "in" else f"{name}:out", lambda m: outputs(m, case, feeds), mask)

    if tower == "image":
        size = models[0].config if case != "clip" else models[0].config.vision_config
        shape = size.image_size if isinstance(size.image_size, list) else [size.image_size] * 2
        feeds = dict(pixels=torch.randn(2, 3, *shape, generator=rng))
        fed("in", feeds)
        if case == "clip":
            tokens = draw(3, 40, 3, 6)
            tokens[:, -1] = 40
            out["joint:tokens"] = tokens
            joint = lambda m: dict(
                logits=m(tokens, pixel_values=feeds["pixels"].to(m.logit_scale.dtype)).logits_per_image
            )
            both("joint:out", joint)
    else:
        bert = not case.startswith("clip")
        # The end is the largest token of some, and one of many of others.
        end = 47 if case == "clip-text" else 40
        top = 40 if case == "clip-text" else 48
        kinds = models[0].config.type_vocab_size if bert else 0

        def texts(rows, pos):
            tokens = draw(3, top if bert else 40, rows, pos)
            if not bert:
                tokens[:, -1] = end
                tokens[0, -2:] = end
                if case == "clip":
                    tokens[0, 1] = 45
            return dict(tokens=tokens, **(dict(token_types=draw(0, kinds, rows, pos)) if bert else {}))

        feeds = texts(2, 7)
        fed("in", feeds)
        padded, mask = texts(2, 9), torch.ones(2, 9, dtype=torch.long)
        padded["tokens"][0, :3], mask[0, :3] = 0, 0
        padded["tokens"][1, -2:], mask[1, -2:] = 0, 0
        if not bert:
            padded["tokens"][1, -3] = end
        padded["attention_mask"] = mask
        fed("pad", padded, mask)
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        fed("placed", {**padded, "position_ids": places}, mask)

    model = models[0]
    with torch.no_grad():
        sites = record(model, case, tower, lambda: outputs(model, case, feeds))
    if case == "bert":
        meta["TransformerLens"] = repr(lens_distance(model, feeds, sites))
    out.update({f"site:{key}": value.clone() for key, value in sites.items()})
    save(out, os.path.join(folder, f"{tower}.safetensors"), meta)
    print(case, tower, len(sites), "sites", {k: f"{v.std():.2f}" for k, v in out.items() if k.startswith("out:")})


def lens_distance(model, feeds, sites):
    """How far its HookedEncoder is at the sites that it has, under the names that it gives them."""
    from transformer_lens import HookedEncoder, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions.bert import convert_bert_weights

    c = model.config
    cfg = HookedTransformerConfig(
        n_layers=c.num_hidden_layers,
        d_model=c.hidden_size,
        n_heads=c.num_attention_heads,
        d_head=c.hidden_size // c.num_attention_heads,
        d_mlp=c.intermediate_size,
        d_vocab=c.vocab_size,
        n_ctx=c.max_position_embeddings,
        eps=c.layer_norm_eps,
        act_fn="gelu",
        attention_dir="bidirectional",
        device="cpu",
        use_attn_result=True,
    )
    lens = HookedEncoder(cfg).eval()
    lens.load_state_dict(convert_bert_weights(model, cfg), strict=False)
    with torch.no_grad():
        logits, cache = lens.run_with_cache(
            feeds["tokens"], token_type_ids=feeds["token_types"], return_cache_object=False
        )
    far = (logits - model(feeds["tokens"], token_type_ids=feeds["token_types"]).prediction_logits).abs().max()
    assert far < 1e-4, f"TransformerLens is {far} from Hugging Face"
    named = {re.sub(r"^embed[.](?=hook_)", "", k): v for k, v in cache.items()}
    missing = [k for k in named if k not in sites and not re.search("unembed|hook_(attn|mlp)_in$|_input$", k)]
    assert not missing, missing
    shared = [k for k in sites if k in named]
    print(len(shared), "sites of TransformerLens;", "only ours:", [k for k in sites if k not in named])
    return max((named[k].expand_as(sites[k]) - sites[k]).abs().nan_to_num().max().item() for k in shared)


def sentence_files(folder):
    """As sentence-transformers' own repositories say how a sentence becomes one vector."""
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [
        dict(idx=i, name=str(i), path=f"{i}_{kind}" if i else "", type=f"sentence_transformers.models.{kind}")
        for i, kind in enumerate(kinds)
    ]
    os.mkdir(os.path.join(folder, "1_Pooling"))
    modes = {f"pooling_mode_{m}": m == "mean_tokens" for m in ("cls_token", "mean_tokens", "max_tokens")}
    for name, content in [
        ("modules.json", modules),
        ("1_Pooling/config.json", dict(word_embedding_dimension=16, **modes)),
    ]:
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file, indent=2)


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
