"""What Hugging Face and TransformerLens compute on a tiny random model of each family.

python scripts/golden/families.py [case…] writes test/golden/families/<case>/: config.json and
model.safetensors as Hugging Face saves them, and reference.safetensors with tokens, logits and sites.
Everything is float32 and eager. The metadata hold each logits' distance from a float64 run.
"""

import json
import os
import re
import shutil
import sys
import tempfile

import torch
import transformers
from families_cases import CASES, COMMON
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "test", "golden", "families")


def fill(model, family, seed):
    """Norm weights, biases and sinks are far from neutral, matrices large enough to matter."""
    rng = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=rng)
        if p.ndim == 1 and name.endswith("weight"):
            x = x * 0.4 + (0.0 if family.startswith("gemma") else 1.0)
        elif p.ndim == 1 or name.endswith("bias"):
            x = x * 0.4
        elif re.search(r"embed|wte|wpe|embd", name):
            x = x * 0.8
        else:
            x = x * 1.5 / (p.shape[-1] if p.ndim < 3 else p.shape[-2]) ** 0.5
        p.data.copy_(x)


def positions(mask):
    return (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)


def run(model, tokens, **more):
    with torch.no_grad():
        return model(tokens, use_cache=False, **more)


def make(case, only_sites=False):
    cls, settings, lens = CASES[case]
    family = case.split("-")[0]
    config = getattr(transformers, cls)(**COMMON, **settings)
    config._attn_implementation = config._experts_implementation = "eager"
    build = lambda: transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model = build().eval()
    fill(model, family, seed=sum(map(ord, case)))
    model.tie_weights()
    wide = build().double().eval()
    wide.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    wide.tie_weights()

    folder = os.path.join(OUT, case)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    for extra in set(os.listdir(folder)) - {"config.json", "model.safetensors"}:
        os.remove(os.path.join(folder, extra))

    def logits(m, tokens, mask=None):
        more = {}
        if mask is not None:
            more["attention_mask"] = mask
            if family != "opt":
                more["position_ids"] = positions(mask)
        return run(m, tokens, **more).logits

    def cached(m, long):
        first = m(long[:, :8], use_cache=True)
        return m(long[:, 8:11], past_key_values=first.past_key_values, use_cache=True).logits

    of = lambda tokens: lens_sites(model, case, folder, tokens) if lens else own_sites(model, tokens)
    source = "TransformerLens" if lens else "Hugging Face"
    draw_all(case, folder, (model, wide), run=logits, cached=cached, sites=of, source=source)


def draw_all(case, folder, models, *, run, cached, sites, source):
    """Every cell of one model, with tokens drawn here, into reference.safetensors."""
    rng = torch.Generator().manual_seed(7)
    draw = lambda *shape: torch.randint(3, 48, shape, generator=rng)
    out, meta = {}, {"sites": source}

    def both(name, of):
        with torch.no_grad():
            narrow, exact = [of(m) for m in models]
        out[name] = narrow.float()
        far = (narrow.double() - exact).abs().max().item()
        # In float64 Hugging Face makes NaN of rows that see nothing, and they spread.
        meta[f"distance {name}"] = repr(far if far == far else 0.0)

    tokens = draw(2, 8)
    out["tokens"] = tokens
    both("logits", lambda m: run(m, tokens))
    meta["std"] = repr(out["logits"].std().item())
    assert out["logits"].std() >= 1, f"{case}: logits are too small: {out['logits'].std()}"

    pad, mask = draw(2, 9), torch.ones(2, 9, dtype=torch.long)
    pad[0, :3], mask[0, :3] = 0, 0
    out["pad.tokens"], out["pad.mask"] = pad, mask
    # Nothing is promised where there is no token.
    real = lambda logits: torch.where(mask[..., None] == 1, logits, torch.zeros_like(logits))
    both("pad.logits", lambda m: real(run(m, pad, mask)))

    long = draw(1, 15)
    out["long.tokens"] = long
    both("long.logits", lambda m: run(m, long))
    both("cache.logits", lambda m: cached(m, long))

    out["site.tokens"] = tokens[:1, :6]
    out.update({f"site:{k}": v.float() for k, v in sites(tokens[:1, :6]).items()})
    save(out, os.path.join(folder, "reference.safetensors"), meta)
    print(case, source, f"std {float(meta['std']):.2f}", meta["distance logits"])


def save(tensors, path, metadata=None):
    narrow = {k: (v.int() if v.dtype == torch.int64 else v).contiguous() for k, v in tensors.items()}
    save_file(narrow, path, metadata=metadata)


def own_sites(model, tokens):
    """Where TransformerLens has no such family: the stream before each block, and the patterns."""
    got = run(model, tokens, output_hidden_states=True, output_attentions=True)
    sites = {f"blocks.{i}.hook_resid_pre": x for i, x in enumerate(got.hidden_states[:-1])}
    for i, pattern in enumerate(got.attentions):
        sites[f"blocks.{i}.attn.hook_pattern"] = pattern
    return sites


def lens_sites(model, case, folder, tokens):
    from lens import hooked

    with tempfile.TemporaryDirectory() as place:
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)
        # Names that TransformerLens still reads and Hugging Face no longer writes.
        rope = config.get("rope_parameters") or {}
        old = {"n_ctx": 24, "rope_theta": rope.get("rope_theta"), "rotary_emb_base": rope.get("rope_theta")}
        old["partial_rotary_factor"] = old["rotary_pct"] = rope.get("partial_rotary_factor", 1.0)
        with open(os.path.join(place, "config.json"), "w") as file:
            json.dump({**old, **config}, file)
        seen = {}

        def keep(x, hook):
            # Sites that ours lack: inputs of modules, and experts that see only some tokens.
            if not re.search(r"unembed|experts[.]|expert_indices|hook_(mlp|attn|in)$", hook.name):
                seen[hook.name] = x.detach().clone()

        lens = hooked(model, case, place)
        logits = lens.run_with_hooks(
            tokens, return_type="logits", fwd_hooks=[(lambda n: n.split(".")[-1].startswith("hook_"), keep)]
        )
        far = (logits - run(model, tokens).logits).abs().max().item()
        assert far < 1e-4, f"{case}: TransformerLens is {far} from Hugging Face"
        # TransformerLens repeats the one norm of these as a second.
        shared = case in ("gptj", "phi")
        return {k: v for k, v in seen.items() if not (shared and ".ln2." in k)}


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
