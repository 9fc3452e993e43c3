# Writes test/golden/interventions.json: what TransformerLens' run_with_hooks makes of a tiny random model
# when values are ablated, patched, steered, scaled, clamped and frozen at layers, heads, positions and
# tokens, in float64. Each case holds the record as we write it, next to the hook as they write it.
# Run: python scripts/golden/interventions.py
import base64
import json
from pathlib import Path

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

torch.manual_seed(0)
sizes = dict(n_layers=3, d_model=8, n_heads=2, d_head=4, d_mlp=12, d_vocab=11, n_ctx=6)
model = HookedTransformer(
    HookedTransformerConfig(
        **sizes, act_fn="gelu", normalization_type="LN", dtype=torch.float64, device="cpu", seed=0
    )
)
gen = torch.Generator().manual_seed(3)
for name, x in model.named_parameters():
    base = 1.0 if name.endswith(".w") else 0.0
    value = torch.randn(x.shape, generator=gen, dtype=torch.float64) * 0.5 + base
    x.data = value.float().double()
model.set_use_attn_result(True)
tokens = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
other = torch.tensor([[7, 10, 2, 0, 6, 4], [1, 1, 8, 9, 0, 3]])
_, clean = model.run_with_cache(tokens)
_, there = model.run_with_cache(other)
vector = torch.randn(8, generator=gen, dtype=torch.float64).float().double()
head = torch.randn(4, generator=gen, dtype=torch.float64).float().double()
neurons = torch.randn(12, generator=gen, dtype=torch.float64).float().double()
ln = lambda site: site.endswith("hook_scale")
pattern = lambda site: site.endswith("hook_pattern")
inline = lambda x: {"values": x.tolist()}


def at(index, change):
    def hook(x, hook):
        x = x.clone()
        x[index] = change(x[index], hook)
        return x

    return hook


def everywhere(change):
    return lambda x, hook: change(x, hook)


every = slice(None)
unit = vector / vector.norm()
reads5 = (tokens == 5)


def clamped(x, hook):
    return x + (2.5 - x @ unit)[..., None] * unit


def feature(x, hook):
    a = x @ vector - 0.25
    a = torch.where(a > 0.5, a, 0.0)
    return x + (a.clamp(max=1.0) - a)[..., None] * unit


def on_token(x, hook):
    return torch.where(reads5[..., None], x + 2 * vector, x)


mean = there["blocks.1.hook_mlp_out"].mean((0, 1)).float().double()
cases = [
    (
        "a head's output ablated at two positions",
        [{"kind": "ablate", "how": "zero", "where": {"sites": "blocks.1.attn.hook_z", "heads": [1], "positions": [2, -1]}}],
        [("blocks.1.attn.hook_z", at((every, [2, 5], 1), lambda x, h: x * 0))],
    ),
    (
        "all MLPs ablated but in the first layer",
        [{"kind": "ablate", "how": "zero", "where": {"sites": "blocks.*.hook_mlp_out", "layers": [{"from": 1}]}}],
        [(f"blocks.{i}.hook_mlp_out", everywhere(lambda x, h: x * 0)) for i in (1, 2)],
    ),
    (
        "an MLP's output at its mean over other texts, in one row",
        [{"kind": "ablate", "how": "mean", "value": inline(mean), "where": {"sites": "mlp_out", "layers": [1], "rows": [1]}}],
        [("blocks.1.hook_mlp_out", at((1,), lambda x, h: mean.expand_as(x)))],
    ),
    (
        "one head resampled from another prompt",
        [{"kind": "ablate", "how": "resample", "value": {"feed": "there"}, "where": {"sites": "blocks.*.attn.hook_result", "heads": [0]}}],
        [(f"blocks.{i}.attn.hook_result", at((every, every, 0), lambda x, h: there[h.name][:, :, 0])) for i in range(3)],
    ),
    (
        "the residual stream patched at one position",
        [{"kind": "patch", "value": {"feed": "there"}, "where": {"sites": "blocks.1.hook_resid_post", "positions": [3]}}],
        [("blocks.1.hook_resid_post", at((every, 3), lambda x, h: there[h.name][:, 3]))],
    ),
    (
        "patterns of one head patched for the last queries and the first keys",
        [{"kind": "patch", "value": {"feed": "there"}, "where": {"sites": "pattern", "layers": [-1], "heads": [1], "positions": [{"from": -2}], "keys": [{"from": 0, "to": 3}]}}],
        [("blocks.2.attn.hook_pattern", at((every, 1, slice(4, 6), slice(0, 3)), lambda x, h: there[h.name][:, 1, 4:6, 0:3]))],
    ),
    (
        "steered everywhere",
        [{"kind": "steer", "direction": inline(vector), "coefficient": -1.5, "where": {"sites": "blocks.0.hook_resid_post"}}],
        [("blocks.0.hook_resid_post", everywhere(lambda x, h: x - 1.5 * vector))],
    ),
    (
        "steered where a token is read",
        [{"kind": "steer", "direction": inline(vector), "coefficient": 2, "where": {"sites": "blocks.*.hook_resid_pre", "tokens": [5]}}],
        [(f"blocks.{i}.hook_resid_pre", on_token) for i in range(3)],
    ),
    (
        "one head's queries steered",
        [{"kind": "steer", "direction": inline(head), "coefficient": 3, "where": {"sites": "blocks.2.attn.hook_q", "heads": [0], "positions": [{"from": 1}]}}],
        [("blocks.2.attn.hook_q", at((every, slice(1, 6), 0), lambda x, h: x + 3 * head))],
    ),
    (
        "some neurons scaled",
        [{"kind": "scale", "factor": -2, "where": {"sites": "blocks.1.mlp.hook_post", "units": [0, {"from": 9}]}}],
        [("blocks.1.mlp.hook_post", at((every, every, [0, 9, 10, 11]), lambda x, h: -2 * x))],
    ),
    (
        "a direction's component clamped",
        [{"kind": "clamp", "what": "direction", "direction": inline(vector), "to": 2.5, "where": {"sites": "blocks.1.hook_resid_mid"}}],
        [("blocks.1.hook_resid_mid", everywhere(clamped))],
    ),
    (
        "a feature's activation kept below one",
        [{"kind": "clamp", "what": "feature", "encode": inline(vector), "decode": inline(unit.float()), "bias": -0.25, "threshold": 0.5, "to": {"max": 1}, "where": {"sites": "blocks.0.hook_resid_post"}}],
        [("blocks.0.hook_resid_post", everywhere(feature))],
    ),
    (
        "steered while patterns and norms are frozen",
        [
            {"kind": "freeze", "what": ["patterns", "norms"], "value": {"feed": "clean"}},
            {"kind": "steer", "direction": inline(vector), "coefficient": 1, "where": {"sites": "hook_embed", "positions": [0]}},
        ],
        [(ln, everywhere(lambda x, h: clean[h.name])), (pattern, everywhere(lambda x, h: clean[h.name]))]
        + [("hook_embed", at((every, 0), lambda x, h: x + vector))],
    ),
    (
        "three changes of one site, in order",
        [
            {"kind": "scale", "factor": 0.5, "where": {"sites": "blocks.0.mlp.hook_post"}},
            {"kind": "steer", "direction": inline(neurons), "coefficient": 1, "where": {"sites": "blocks.0.mlp.hook_post", "positions": [1, 2]}},
            {"kind": "ablate", "how": "zero", "where": {"sites": "blocks.0.mlp.hook_post", "units": [3], "rows": [0]}},
        ],
        [
            ("blocks.0.mlp.hook_post", everywhere(lambda x, h: x * 0.5)),
            ("blocks.0.mlp.hook_post", at((every, [1, 2]), lambda x, h: x + neurons)),
            ("blocks.0.mlp.hook_post", at((0, every, 3), lambda x, h: x * 0)),
        ],
    ),
]


def pack(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "f32": base64.b64encode(data.tobytes()).decode()}


names = [name for name, _ in model.named_parameters()]
site = "blocks.2.hook_resid_post"
out = []
for name, records, hooks in cases:
    seen = {}
    record = lambda x, hook: seen.update({hook.name: x})
    logits = model.run_with_hooks(tokens, fwd_hooks=hooks + [(site, record)])
    out.append({"name": name, "interventions": records, "logits": pack(logits), "resid": pack(seen[site])})
golden = {
    "config": dict(name="three-layers", **sizes, act_fn="gelu", normalization="LN", positions="learned"),
    "tokens": tokens.tolist(),
    "other": other.tolist(),
    "weights": {name: pack(x) for name, x in model.named_parameters()},
    "clean": pack(model(tokens)),
    "there": pack(model(other)),
    "site": site,
    "cases": out,
}
path = Path(__file__).parents[2] / "test" / "golden" / "interventions.json"
path.write_text(json.dumps(golden) + "\n")
print(path, path.stat().st_size, names[:4])
