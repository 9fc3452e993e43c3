"""What TransformerLens computes on toy models of its own kinds, saved as ours: attention only, SoLU.

python scripts/golden/toys.py writes test/golden/families/toy-*/, as families.py does.
"""

import json
import os
import shutil

import torch
from families import OUT, draw_all, save
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache

SIZES = dict(n_layers=2, d_model=16, n_heads=2, d_head=6, n_ctx=24, d_vocab=48)
# Ours and theirs write these settings alike.
TOYS = {
    "toy-attn-only": dict(attn_only=True, normalization=None),
    "toy-no-norm": dict(act_fn="relu", d_mlp=24, normalization=None),
    "toy-solu": dict(act_fn="solu_ln", d_mlp=24, normalization="LN", eps=0.03),
    "toy-gated": dict(act_fn="silu", d_mlp=24, normalization="RMS", gated=True, n_key_value_heads=1, eps=0.03),
}


def make(case):
    toy = TOYS[case]
    theirs = {k: v for k, v in toy.items() if k not in ("normalization", "gated")}
    cfg = HookedTransformerConfig(
        **SIZES,
        **theirs,
        gated_mlp=toy.get("gated", False),
        normalization_type=toy["normalization"],
        final_rms=toy["normalization"] == "RMS",
        use_attn_result=True,
        device="cpu",
        seed=1,
    )
    model = HookedTransformer(cfg).eval()
    large = 1.5 if toy["normalization"] else 0.7
    rng = torch.Generator().manual_seed(len(case))
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=rng)
        norm = name.endswith(".w")
        by = 0.4 if norm or ".b" in name else 0.8 if "embed.W" in name else large / p.shape[-2] ** 0.5
        p.data.copy_(x * by + (1.0 if norm else 0.0))
    if toy.get("gated"):
        # Theirs adds one after the product, ours before it.
        for block in model.blocks:
            block.mlp.b_in.data.zero_()
            block.mlp.b_out.data.zero_()
    wide = HookedTransformer(cfg).double().eval()
    wide.load_state_dict({k: v.double() for k, v in model.state_dict().items()}, strict=False)

    folder = os.path.join(OUT, case)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    ours = {"name": case, "d_mlp": 24, "act_fn": "relu", "positions": "learned", **SIZES, **toy}
    ours["normalization"] = toy["normalization"] or "none"
    weights = {k.replace("attn._W", "attn.W").replace("attn._b", "attn.b"): v for k, v in model.named_parameters()}
    if toy.get("gated"):
        ours["biases"] = {"mlp": False}
        weights = {k: v for k, v in weights.items() if ".mlp.b_" not in k}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(ours, file, indent=2)
    save({k: v.data for k, v in weights.items()}, os.path.join(folder, "model.safetensors"))

    def cached(m, long):
        cache = TransformerLensKeyValueCache.init_cache(m.cfg, "cpu", 1)
        if m is wide:
            for entry in cache.entries:
                entry.past_keys, entry.past_values = entry.past_keys.double(), entry.past_values.double()
        read = lambda tokens: m(tokens, past_kv_cache=cache, attention_mask=torch.ones_like(tokens))
        read(long[:, :8])
        return read(long[:, 8:11])

    def sites(tokens):
        seen = {}

        def keep(x, hook):
            if "unembed" not in hook.name:
                seen[hook.name] = x.detach().clone()

        with torch.no_grad():
            model.run_with_hooks(tokens, fwd_hooks=[(lambda n: n.split(".")[-1].startswith("hook_"), keep)])
        return seen

    draw_all(
        case,
        folder,
        (model, wide),
        run=lambda m, tokens, mask=None: m(tokens, attention_mask=mask),
        cached=cached,
        sites=sites,
        source="TransformerLens",
    )


if __name__ == "__main__":
    for case in TOYS:
        make(case)
