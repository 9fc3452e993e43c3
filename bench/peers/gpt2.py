"""GPT-2 small's shape in transformers (hf) and TransformerLens (tl): record, generate, load, gradients.

python gpt2.py record hf|tl FOLDER BATCH POS LAPS     ->  {"ms": fastest}
python gpt2.py generate hf|tl FOLDER PROMPT NEW LAPS  ->  {"ms": fastest}
python gpt2.py load hf|tl FOLDER                      ->  {"ms": to the first value, "bytes": peak beyond imports}
python gpt2.py gradients hf FOLDER BATCH POS LAPS     ->  {"ms": fastest, "bytes": peak beyond imports}
"""
import json
import resource
import sys
import time
import warnings

import torch

warnings.filterwarnings("ignore")
what, which, folder, *sizes = sys.argv[1:]
sizes = [int(s) for s in sizes]
torch.manual_seed(0)

from transformers import GPT2LMHeadModel  # noqa: E402

if which == "tl":
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def load():
    if which == "hf":
        attention = "eager" if what == "gradients" else "sdpa"
        return GPT2LMHeadModel.from_pretrained(folder, attn_implementation=attention).eval()
    source = GPT2LMHeadModel.from_pretrained(folder)
    config = HookedTransformerConfig(
        n_layers=12, d_model=768, n_ctx=1024, d_head=64, n_heads=12, d_mlp=3072,
        act_fn="gelu_new", d_vocab=50257, normalization_type="LN", device="cpu",
    )
    model = HookedTransformer(config).eval()
    model.load_and_process_state_dict(
        convert_gpt2_weights(source, config),
        fold_ln=False, center_writing_weights=False, center_unembed=False,
    )
    return model


def record(model, tokens, layers=range(12)):
    if which == "hf":
        return model.transformer(tokens, output_hidden_states=True)
    names = {f"blocks.{i}.hook_resid_post" for i in layers}
    return model.run_with_cache(tokens, names_filter=lambda name: name in names, stop_at_layer=12)


def fastest(laps, work):
    work()
    times = []
    for _ in range(laps):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


before = peak()
began = time.perf_counter()
model = load()
if what == "load":
    with torch.no_grad():
        record(model, torch.arange(0, 32 * 101, 101)[None], layers=[11])
    print(json.dumps({"ms": 1000 * (time.perf_counter() - began), "bytes": peak() - before}))
elif what == "record":
    batch, pos, laps = sizes
    tokens = torch.randint(0, 50257, (batch, pos))
    with torch.no_grad():
        print(json.dumps({"ms": fastest(laps, lambda: record(model, tokens))}))
elif what == "generate":
    prompt, new, laps = sizes
    tokens = torch.randint(0, 50257, (1, prompt))
    if which == "hf":
        work = lambda: model.generate(
            tokens, max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=0
        )
    else:
        work = lambda: model.generate(
            tokens, max_new_tokens=new, stop_at_eos=False, do_sample=False, verbose=False,
            prepend_bos=False,
        )
    with torch.no_grad():
        print(json.dumps({"ms": fastest(laps, work)}))
elif what == "gradients":
    batch, pos, laps = sizes
    tokens = torch.randint(0, 50257, (batch, pos))

    def work():
        model.zero_grad(set_to_none=True)
        out = model(tokens, output_hidden_states=True)
        for state in out.hidden_states[1:]:
            state.retain_grad()
        loss = torch.nn.functional.cross_entropy(out.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()

    ms = fastest(laps, work)
    print(json.dumps({"ms": ms, "bytes": peak() - before}))
