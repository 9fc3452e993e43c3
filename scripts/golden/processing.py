# Writes test/golden/processing.json: a tiny random GPT-2-like model, and what TransformerLens' weight
# processing makes of its weights, its logits and its residual stream.
# Run: python scripts/golden/processing.py   (transformer_lens 3.9, torch 2.13)
import base64
import json
from pathlib import Path

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

config = dict(
    name="gelu-ln", n_layers=2, d_model=6, n_heads=2, d_head=3, d_mlp=8, d_vocab=7, n_ctx=5,
    act_fn="gelu", normalization="LN", positions="learned",
)  # fmt: skip
passes = dict(
    foldNorms="fold_ln", centreWritingWeights="center_writing_weights",
    centreUnembed="center_unembed", foldValueBiases="fold_value_biases",
)  # fmt: skip


def pack(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "f32": base64.b64encode(data.tobytes()).decode()}


def build():
    sizes = {k: config[k] for k in ("n_layers", "d_model", "n_heads", "d_head", "d_mlp", "d_vocab", "n_ctx")}
    cfg = HookedTransformerConfig(
        **sizes, act_fn="gelu", normalization_type="LN", positional_embedding_type="standard",
        default_prepend_bos=False, device="cpu", dtype=torch.float32,
    )  # fmt: skip
    return HookedTransformer(cfg)


gen = torch.Generator().manual_seed(11)
model = build()
names = [k for k in model.state_dict() if not k.endswith((".mask", ".IGNORE"))]
raw = {}
for name in names:
    shape = model.state_dict()[name].shape
    raw[name] = torch.randn(shape, generator=gen) * 0.5 + (1.0 if name.endswith(".w") else 0.0)
tokens = torch.randint(config["d_vocab"], (2, config["n_ctx"]), generator=gen)


def run(kinds):
    model = build()
    flags = {flag: ours in kinds for ours, flag in passes.items()}
    state = {k: v.clone() for k, v in {**model.state_dict(), **raw}.items()}
    model.load_and_process_state_dict(state, **flags, refactor_factored_attn_matrices=False)
    logits, cache = model.run_with_cache(tokens)
    sites = [f"blocks.{i}.hook_resid_{w}" for i in range(config["n_layers"]) for w in ("pre", "mid", "post")]
    after = model.state_dict()
    changed = {k: after[k] for k in names if k in after and not torch.equal(after[k], raw[k])}
    return {
        "kinds": kinds,
        "logits": pack(logits),
        "sites": {s: pack(cache[s]) for s in sites},
        "weights": {k: pack(v) for k, v in changed.items() if not k.endswith((".w", ".b"))},
    }


golden = {
    "config": config,
    "tokens": {"shape": list(tokens.shape), "ids": tokens.flatten().tolist()},
    "weights": {k: pack(v) for k, v in raw.items()},
    "raw": run([]),
    "processed": [run([kind]) for kind in passes] + [run(list(passes))],
}
path = Path(__file__).parents[2] / "test" / "golden" / "processing.json"
path.write_text(json.dumps(golden) + "\n")
print(path, path.stat().st_size, golden["weights"].keys())
