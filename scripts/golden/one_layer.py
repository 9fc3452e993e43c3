# Writes test/golden/one-layer.json: two tiny transformers computed by PyTorch in float64, with every
# site, the next-token loss and its gradients. Run: python scripts/golden/one_layer.py
import base64
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F


def weight_shapes(c):
    d, h, e, m, v = c["d_model"], c["n_heads"], c["d_head"], c["d_mlp"], c["d_vocab"]
    shapes = {"embed.W_E": (v, d), "pos_embed.W_pos": (c["n_ctx"], d)}
    norm = c["normalization"] == "LN"

    def ln(at):
        if norm:
            shapes[f"{at}.w"] = (d,)
            shapes[f"{at}.b"] = (d,)

    for layer in range(c["n_layers"]):
        at = f"blocks.{layer}"
        ln(f"{at}.ln1")
        for n in "QKV":
            shapes[f"{at}.attn.W_{n}"] = (h, d, e)
            shapes[f"{at}.attn.b_{n}"] = (h, e)
        shapes[f"{at}.attn.W_O"] = (h, e, d)
        shapes[f"{at}.attn.b_O"] = (d,)
        ln(f"{at}.ln2")
        shapes[f"{at}.mlp.W_in"] = (d, m)
        shapes[f"{at}.mlp.b_in"] = (m,)
        shapes[f"{at}.mlp.W_out"] = (m, d)
        shapes[f"{at}.mlp.b_out"] = (d,)
    ln("ln_final")
    shapes["unembed.W_U"] = (d, v)
    shapes["unembed.b_U"] = (v,)
    return shapes


def forward(c, w, tokens):
    sites = {}

    def tap(name, x):
        sites[name] = x
        return x

    def norm(at, x):
        if c["normalization"] == "none":
            return x
        x = x - x.mean(-1, keepdim=True)
        scale = tap(f"{at}.hook_scale", (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt())
        return tap(f"{at}.hook_normalized", x / scale) * w[f"{at}.w"] + w[f"{at}.b"]

    batch, pos = tokens.shape
    embed = tap("hook_embed", w["embed.W_E"][tokens])
    place = tap("hook_pos_embed", w["pos_embed.W_pos"][:pos].expand(batch, pos, -1))
    x = embed + place
    mask = torch.triu(torch.ones(pos, pos, dtype=torch.bool), 1)
    for layer in range(c["n_layers"]):
        at = f"blocks.{layer}"
        x = tap(f"{at}.hook_resid_pre", x)
        read = norm(f"{at}.ln1", x)
        q, k, v = (
            tap(
                f"{at}.attn.hook_{n.lower()}",
                torch.einsum("bpd,hde->bphe", read, w[f"{at}.attn.W_{n}"]) + w[f"{at}.attn.b_{n}"],
            )
            for n in "QKV"
        )
        scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(c["d_head"])
        scores = tap(f"{at}.attn.hook_attn_scores", scores.masked_fill(mask, -math.inf))
        pattern = tap(f"{at}.attn.hook_pattern", scores.softmax(-1))
        z = tap(f"{at}.attn.hook_z", torch.einsum("bhqk,bkhe->bqhe", pattern, v))
        result = torch.einsum("bqhe,hed->bqhd", z, w[f"{at}.attn.W_O"])
        tap(f"{at}.attn.hook_result", result)
        out = tap(f"{at}.hook_attn_out", result.sum(2) + w[f"{at}.attn.b_O"])
        mid = tap(f"{at}.hook_resid_mid", x + out)
        pre = norm(f"{at}.ln2", mid) @ w[f"{at}.mlp.W_in"] + w[f"{at}.mlp.b_in"]
        act = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}[c["act_fn"]]
        post = tap(f"{at}.mlp.hook_post", act(tap(f"{at}.mlp.hook_pre", pre)))
        mlp = tap(f"{at}.hook_mlp_out", post @ w[f"{at}.mlp.W_out"] + w[f"{at}.mlp.b_out"])
        x = tap(f"{at}.hook_resid_post", mid + mlp)
    return norm("ln_final", x) @ w["unembed.W_U"] + w["unembed.b_U"], sites


def pack(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "f32": base64.b64encode(data.tobytes()).decode()}


def case(c, seed):
    gen = torch.Generator().manual_seed(seed)
    w = {}
    for name, shape in weight_shapes(c).items():
        x = torch.randn(shape, generator=gen) * 0.5 + (1.0 if name.endswith(".w") else 0.0)
        w[name] = x.float().double().requires_grad_()
    tokens = torch.randint(c["d_vocab"], (2, c["n_ctx"]), generator=gen)
    logits, sites = forward(c, w, tokens)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    loss.mean().backward()
    return {
        "config": c,
        "tokens": {"shape": list(tokens.shape), "ids": tokens.flatten().tolist()},
        "weights": {name: pack(x) for name, x in w.items()},
        "logits": pack(logits),
        "sites": {name: pack(x) for name, x in sites.items()},
        "ce": pack(loss.reshape(2, -1)),
        "loss": loss.mean().item(),
        "gradients": {name: pack(x.grad) for name, x in w.items()},
    }


def adamw():
    # Three steps of torch.optim.AdamW with clipping, on given gradients.
    gen = torch.Generator().manual_seed(7)
    start = {"a": torch.randn(2, 3, generator=gen), "b": torch.randn(4, generator=gen)}
    p = {k: x.double().clone().requires_grad_() for k, x in start.items()}
    settings = {"lr": 0.05, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weightDecay": 0.1, "clipNorm": 1.5}
    optimiser = torch.optim.AdamW(
        p.values(), lr=settings["lr"], betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1
    )
    steps = []
    for i in range(3):
        grads = {k: torch.randn(x.shape, generator=gen) * (0.2 + i) for k, x in p.items()}
        for k in p:
            p[k].grad = grads[k].double().clone()
        norm = torch.nn.utils.clip_grad_norm_(p.values(), settings["clipNorm"])
        optimiser.step()
        steps.append({
            "grads": {k: pack(g) for k, g in grads.items()},
            "norm": norm.item(),
            "params": {k: pack(x) for k, x in p.items()},
        })
    return {"settings": settings, "start": {k: pack(x) for k, x in start.items()}, "steps": steps}


base = dict(d_model=6, n_heads=2, d_head=3, d_mlp=8, d_vocab=7, n_ctx=5, positions="learned")
golden = {
    "oneLayer": case(dict(name="relu", n_layers=1, act_fn="relu", normalization="none", **base), 1),
    "twoLayers": case(dict(name="gelu-ln", n_layers=2, act_fn="gelu", normalization="LN", **base), 2),
    "adamw": adamw(),
}
path = Path(__file__).parents[2] / "test" / "golden" / "one-layer.json"
path.write_text(json.dumps(golden) + "\n")
print(path, path.stat().st_size)
