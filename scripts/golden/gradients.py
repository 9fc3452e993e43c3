# Writes test/golden/gradients.json: gradients of scalars of two tiny transformers with respect to sites
# and weights, by PyTorch autograd in float64; and by RelP, written with detach().
# Run: python scripts/golden/gradients.py
import base64
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

base = dict(n_layers=2, d_model=6, n_heads=2, d_head=3, d_mlp=8, d_vocab=7, n_ctx=5, positions="learned")
configs = [
    dict(name="gelu-ln", act_fn="gelu", normalization="LN", **base),
    dict(
        name="silu-rms-gated", act_fn="silu", normalization="RMS", gated=True,
        biases=dict(qkv=False, o=False, mlp=False, norm=False, unembed=False), **base,
    ),
]  # fmt: skip
sites = [
    "hook_embed", "blocks.0.attn.hook_q", "blocks.0.attn.hook_v", "blocks.0.attn.hook_z",
    "blocks.0.attn.hook_result", "blocks.0.hook_resid_mid", "blocks.0.ln2.hook_scale",
    "blocks.1.attn.hook_pattern", "blocks.1.mlp.hook_pre", "blocks.1.mlp.hook_post",
    "blocks.1.hook_resid_post",
]  # fmt: skip
weights = ["embed.W_E", "blocks.0.attn.W_Q", "blocks.0.attn.W_O", "blocks.1.mlp.W_in", "ln_final.w", "unembed.W_U"]


def shapes(c):
    d, h, e, m, v = c["d_model"], c["n_heads"], c["d_head"], c["d_mlp"], c["d_vocab"]
    biased = "biases" not in c
    out = {"embed.W_E": (v, d), "pos_embed.W_pos": (c["n_ctx"], d)}

    def add(name, shape, has=True):
        if has:
            out[name] = shape

    def norm(at):
        add(f"{at}.w", (d,))
        add(f"{at}.b", (d,), biased)

    for i in range(c["n_layers"]):
        at = f"blocks.{i}"
        norm(f"{at}.ln1")
        for n in "QKV":
            add(f"{at}.attn.W_{n}", (h, d, e))
        add(f"{at}.attn.W_O", (h, e, d))
        for n in "QKV":
            add(f"{at}.attn.b_{n}", (h, e), biased)
        add(f"{at}.attn.b_O", (d,), biased)
        norm(f"{at}.ln2")
        add(f"{at}.mlp.W_gate", (d, m), c.get("gated", False))
        add(f"{at}.mlp.W_in", (d, m))
        add(f"{at}.mlp.b_in", (m,), biased)
        add(f"{at}.mlp.W_out", (m, d))
        add(f"{at}.mlp.b_out", (d,), biased)
    norm("ln_final")
    add("unembed.W_U", (d, v))
    add("unembed.b_U", (v,), biased)
    return out


def forward(c, w, tokens, relp):
    seen = {}
    stop = (lambda x: x.detach()) if relp else (lambda x: x)

    def tap(name, x):
        x = x * 1 if x.requires_grad else x.requires_grad_()
        x.retain_grad()
        seen[name] = x
        return x

    def b(name):
        return w.get(name, 0.0)

    def norm(at, x):
        if c["normalization"] == "LN":
            x = x - x.mean(-1, keepdim=True)
        scale = tap(f"{at}.hook_scale", stop((x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()))
        return x / scale * w[f"{at}.w"] + b(f"{at}.b")

    def act(x):
        return {"gelu": F.gelu, "silu": F.silu}[c["act_fn"]](x)

    batch, pos = tokens.shape
    x = tap("hook_embed", w["embed.W_E"][tokens]) + w["pos_embed.W_pos"][:pos]
    mask = torch.triu(torch.ones(pos, pos, dtype=torch.bool), 1)
    for i in range(c["n_layers"]):
        at = f"blocks.{i}"
        read = norm(f"{at}.ln1", x)
        q, k, v = (
            tap(
                f"{at}.attn.hook_{n.lower()}",
                torch.einsum("bpd,hde->bphe", read, w[f"{at}.attn.W_{n}"]) + b(f"{at}.attn.b_{n}"),
            )
            for n in "QKV"
        )
        scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(c["d_head"])
        pattern = tap(f"{at}.attn.hook_pattern", stop(scores.masked_fill(mask, -math.inf).softmax(-1)))
        z = tap(f"{at}.attn.hook_z", torch.einsum("bhqk,bkhe->bqhe", pattern, v))
        result = tap(f"{at}.attn.hook_result", torch.einsum("bqhe,hed->bqhd", z, w[f"{at}.attn.W_O"]))
        mid = tap(f"{at}.hook_resid_mid", x + result.sum(2) + b(f"{at}.attn.b_O"))
        seen_by = norm(f"{at}.ln2", mid)
        lin = seen_by @ w[f"{at}.mlp.W_in"] + b(f"{at}.mlp.b_in")
        if c.get("gated"):
            pre = tap(f"{at}.mlp.hook_pre", seen_by @ w[f"{at}.mlp.W_gate"])
            if relp:
                line = pre * stop(act(pre) / pre)
                post = (line * stop(lin) + stop(line) * lin) / 2
            else:
                post = act(pre) * lin
        else:
            pre = tap(f"{at}.mlp.hook_pre", lin)
            post = pre * stop(act(pre) / pre) if relp else act(pre)
        post = tap(f"{at}.mlp.hook_post", post)
        x = tap(f"{at}.hook_resid_post", mid + post @ w[f"{at}.mlp.W_out"] + b(f"{at}.mlp.b_out"))
    return norm("ln_final", x) @ w["unembed.W_U"] + b("unembed.b_U"), seen


def pack(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "f32": base64.b64encode(data.tobytes()).decode()}


def case(c, seed):
    gen = torch.Generator().manual_seed(seed)
    w = {}
    for name, shape in shapes(c).items():
        x = torch.randn(shape, generator=gen) * 0.5 + (1.0 if name.endswith(".w") else 0.0)
        w[name] = x.float().double().requires_grad_()
    tokens = torch.randint(c["d_vocab"], (2, c["n_ctx"]), generator=gen)
    reference = torch.randn((2, c["n_ctx"], c["d_vocab"]), generator=gen).float().double()

    def difference(logits):
        return logits[:, -1, 3] - logits[:, -1, 5]

    def kl(logits):
        p = reference.log_softmax(-1)
        return (p.exp() * (p - logits.log_softmax(-1))).sum(-1).mean(-1)

    def ce(logits):
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return loss.reshape(2, -1).mean(-1)

    runs = []
    for kind, scalar, relp in [
        ("logitDifference", difference, False), ("logitDifference", difference, True),
        ("kl", kl, False), ("crossEntropy", ce, False),
    ]:  # fmt: skip
        for x in w.values():
            x.grad = None
        logits, seen = forward(c, w, tokens, relp)
        rows = scalar(logits)
        rows.mean().backward()
        zero = lambda x: torch.zeros_like(x) if x.grad is None else x.grad
        runs.append({
            "kind": kind, "relp": relp, "rows": rows.tolist(),
            "sites": {s: pack(zero(seen[s])) for s in sites},
            "weights": {s: pack(zero(w[s])) for s in weights},
        })
    return {
        "config": c,
        "tokens": {"shape": list(tokens.shape), "ids": tokens.flatten().tolist()},
        "weights": {name: pack(x) for name, x in w.items()},
        "reference": pack(reference),
        "runs": runs,
    }


golden = [case(c, i + 1) for i, c in enumerate(configs)]
path = Path(__file__).parents[2] / "test" / "golden" / "gradients.json"
path.write_text(json.dumps(golden) + "\n")
print(path, path.stat().st_size)
