# Writes test/golden/reading.json: what TransformerLens reads out of two tiny random models (two layers
# with layer norm; attention only, without norm), in float64: logit lens, direct logit attribution, head
# scores, full OV and QK circuits and eigenvalues, composition, and sweeps by run_with_hooks.
# Run: python scripts/golden/reading.py
import base64
import json
from pathlib import Path

import numpy as np
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.head_detector import detect_head

torch.set_grad_enabled(False)
tokens = torch.tensor([[3, 1, 4, 10, 5, 3, 1, 4, 10, 5], [2, 6, 5, 3, 5, 8, 9, 7, 0, 3]])
other = torch.tensor([[7, 10, 2, 0, 6, 4, 8, 8, 1, 6], [1, 1, 8, 9, 0, 3, 2, 2, 7, 4]])
answers = torch.tensor([[3, 7], [0, 10]])
pair = (tokens[:, :6], other[:, :6])


def pack(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "f32": base64.b64encode(data.tobytes()).decode()}


def build(attn_only):
    sizes = dict(n_layers=2, d_model=8, n_heads=2, d_head=4, d_vocab=11, n_ctx=12)
    if not attn_only:
        sizes["d_mlp"] = 12
    model = HookedTransformer(
        HookedTransformerConfig(
            **sizes,
            attn_only=attn_only,
            act_fn=None if attn_only else "gelu",
            normalization_type=None if attn_only else "LN",
            dtype=torch.float64,
            device="cpu",
            seed=0,
            default_prepend_bos=False,
        )
    )
    gen = torch.Generator().manual_seed(11 if attn_only else 5)
    for name, x in model.named_parameters():
        base = 1.0 if name.endswith(".w") else 0.0
        std = 0.4 if attn_only else 0.6
        x.data = (torch.randn(x.shape, generator=gen, dtype=torch.float64) * std + base).float().double()
    model.set_use_attn_result(True)
    config = dict(
        name="attention" if attn_only else "two-layers",
        **{"d_mlp": 0, **sizes},
        act_fn="gelu",
        normalization="none" if attn_only else "LN",
        positions="learned",
    )
    if attn_only:
        config.update(attn_only=True, final_norm=False)
    weights = {name: pack(x) for name, x in model.named_parameters()}
    return model, config, weights


def lens(model, cache):
    stack, labels = cache.accumulated_resid(layer=-1, return_labels=True)
    return {"labels": labels, "logits": pack(model.unembed(model.ln_final(stack)) if model.cfg.normalization_type else model.unembed(stack))}


def attribution(model, cache):
    def read(stack):
        return pack(
            cache.logit_attrs(
                stack, tokens=answers[:, 0], incorrect_tokens=answers[:, 1], pos_slice=-1, has_batch_dim=True
            )
        )

    out = {}
    stack, out["accumulated_labels"] = cache.accumulated_resid(
        layer=-1, incl_mid=not model.cfg.attn_only, pos_slice=-1, return_labels=True
    )
    out["accumulated"] = read(stack)
    stack, out["parts_labels"] = cache.decompose_resid(layer=-1, pos_slice=-1, return_labels=True)
    out["parts"] = read(stack)
    out["heads"] = read(cache.stack_head_results(layer=-1, pos_slice=-1))
    if not model.cfg.attn_only:
        out["neurons"] = read(cache.stack_neuron_results(layer=-1, pos_slice=-1))
    return out


def scores(model):
    names = ("previous_token_head", "duplicate_token_head", "induction_head")
    return {name: pack(torch.stack([detected(model, row, name) for row in tokens])) for name in names}


def detected(model, row, name):
    # detect_head reads strings: hand it the tokens through to_tokens.
    model.to_tokens = lambda seq: row[None]
    found = detect_head(model, "", name, error_measure="mul")
    del model.to_tokens
    return found


def circuits(model):
    # Reading norms folded into what reads, without scales: the linear path from embedding to logits.
    if model.cfg.normalization_type:
        model.load_and_process_state_dict(
            model.state_dict(),
            fold_ln=True,
            center_writing_weights=False,
            center_unembed=False,
            fold_value_biases=False,
        )
    full = [[model.W_E @ model.W_V[l, h] @ model.W_O[l, h] @ model.W_U for h in range(2)] for l in range(2)]
    qk = [[model.W_E @ model.W_Q[l, h] @ model.W_K[l, h].T @ model.W_E.T / 2 for h in range(2)] for l in range(2)]
    eigen = []
    for l in range(2):
        for h in range(2):
            values = (model.W_E @ model.OV[l, h] @ model.W_U).eigenvalues
            eigen.append(sorted([[float(v.real), float(v.imag)] for v in values]))
    return {
        "OV": pack(torch.stack([torch.stack(row) for row in full])),
        "QK": pack(torch.stack([torch.stack(row) for row in qk])),
        "eigenvalues": eigen,
        "composition": {mode: pack(model.all_composition_scores(mode)) for mode in "QKV"},
    }


def difference(logits):
    last = logits[:, -1]
    return last.gather(1, answers[:, :1])[:, 0] - last.gather(1, answers[:, 1:])[:, 0]


def sweep(model, base, source):
    """Metric of `base` with one value at a time from `source`."""
    clean, there = pair[base], model.run_with_cache(pair[source])[1]

    def run(site, index):
        def hook(x, hook):
            x = x.clone()
            x[index] = there[site][index]
            return x

        return difference(model.run_with_hooks(clean, fwd_hooks=[(site, hook)]))

    every = slice(None)
    out = {
        "resid_pre": [[run(f"blocks.{l}.hook_resid_pre", (every, p)) for p in range(6)] for l in range(2)],
        "z": [[run(f"blocks.{l}.attn.hook_z", (every, every, h)) for h in range(2)] for l in range(2)],
        "z_position": [
            [[run(f"blocks.{l}.attn.hook_z", (every, p, h)) for p in range(6)] for h in range(2)] for l in range(2)
        ],
    }
    if not model.cfg.attn_only:
        out["mlp_out"] = [[run(f"blocks.{l}.hook_mlp_out", (every, p)) for p in range(6)] for l in range(2)]
    # cell axes first, then the prompts
    nested = lambda x: torch.stack([nested(y) for y in x]) if isinstance(x, list) else x
    return {
        "base": pack(difference(model(clean))),
        "source": pack(difference(model(pair[source]))),
        **{name: pack(nested(x)) for name, x in out.items()},
    }


def path(model, mlps):
    """Wang et al. 2022: sender's z from the other prompt, all other heads held, receivers read what comes of it."""
    clean = pair[0]
    _, here = model.run_with_cache(clean)
    _, there = model.run_with_cache(pair[1])

    def first(layer, head):
        def hold(x, hook):
            x = here[hook.name].clone()
            if hook.name == f"blocks.{layer}.attn.hook_z":
                x[:, :, head] = there[hook.name][:, :, head]
            return x

        hooks = [(lambda name: name.endswith("hook_z"), hold)]
        if mlps == "freeze":
            hooks.append((lambda name: name.endswith("hook_mlp_out"), lambda x, hook: here[hook.name]))
        return hooks

    def receive(layer, head, site):
        seen = {}
        model.run_with_hooks(
            clean, fwd_hooks=first(layer, head) + [(site, lambda x, hook: seen.update(x=x.clone()))]
        )

        def put(x, hook):
            x = x.clone()
            x[:, :, 1] = seen["x"][:, :, 1]
            return x

        return difference(model.run_with_hooks(clean, fwd_hooks=[(site, put)]))

    logits = torch.stack(
        [torch.stack([difference(model.run_with_hooks(clean, fwd_hooks=first(l, h))) for h in range(2)]) for l in range(2)]
    )
    out = {"logits": pack(logits)}
    for which in "qkv":
        out[which] = pack(torch.stack([receive(0, h, f"blocks.1.attn.hook_{which}") for h in range(2)]))
    return out


golden = {"tokens": tokens.tolist(), "other": other.tolist(), "answers": answers.tolist(), "models": []}
for attn_only in (False, True):
    model, config, weights = build(attn_only)
    logits, cache = model.run_with_cache(tokens)
    made = {
        "config": config,
        "weights": weights,
        "logits": pack(logits),
        "lens": lens(model, cache),
        "scores": scores(model),
        "noising": sweep(model, 0, 1),
        "denoising": sweep(model, 1, 0),
        "path": {mlps: path(model, mlps) for mlps in (("recompute",) if attn_only else ("recompute", "freeze"))},
    }
    made["circuits"] = circuits(model)
    # Its attribution forgets the final norm's gain unless that is folded in, as `circuits` has just done.
    made["attribution"] = attribution(model, model.run_with_cache(tokens)[1])
    golden["models"].append(made)

# Eigenvalues of matrices without symmetry, by LAPACK.
rng = np.random.default_rng(2)
hard = [
    rng.normal(size=(1, 1)),
    rng.normal(size=(7, 7)),
    rng.normal(size=(40, 40)),
    rng.normal(size=(24, 3)) @ rng.normal(size=(3, 24)),
    np.diag(np.ones(5), 1),
    np.roll(np.eye(8), 1, 0),
    np.diag([1e6, 1.0, 1e-6]) @ rng.normal(size=(3, 3)),
]
golden["eigen"] = [
    {
        "n": len(a),
        "matrix": [float(np.float32(x)) for x in a.ravel()],
        "values": [[float(v.real), float(v.imag)] for v in np.linalg.eigvals(a.astype(np.float32).astype(float))],
    }
    for a in hard
]
target = Path(__file__).parents[2] / "test" / "golden" / "reading.json"
target.write_text(json.dumps(golden) + "\n")
print(target, target.stat().st_size)
