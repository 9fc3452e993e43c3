"""What Hugging Face computes when a left-padded batch is written on with its key-value cache.

python scripts/golden/families_continued.py [case…] reads test/golden/families/<case>/ as families.py
left it and writes continued.safetensors beside it: a padded prompt longer than every window, the
tokens behind it, their logits, and the logits of plain tokens in float64 throughout.
"""

import contextlib
import os
import sys
from unittest import mock

import torch
import transformers
from families import OUT, positions, save
from families_cases import CASES
from safetensors.torch import load_file


@contextlib.contextmanager
def nothing_narrowed():
    """Families compute norms and softmax in float32 whatever they are given; here float64 stays."""
    wide = lambda x: isinstance(x, torch.Tensor) and x.dtype == torch.float64
    narrow = (torch.float32, torch.float)

    def staying(method):
        def call(x, *args, **kwargs):
            if wide(x) and (any(a in narrow for a in args if isinstance(a, torch.dtype)) or kwargs.get("dtype") in narrow):
                return x
            return method(x, *args, **kwargs)

        return call

    def soft(method):
        def call(x, *args, dtype=None, **kwargs):
            return method(x, *args, dtype=None if wide(x) else dtype, **kwargs)

        return call

    # Each cosine is that of a float32 angle, rounded once: other libraries differ in the last bit.
    once = lambda method: lambda x: method(x.double()).to(x.dtype)
    float_ = torch.Tensor.float
    with contextlib.ExitStack() as patches:
        for place, name, made in [
            (torch.Tensor, "to", staying(torch.Tensor.to)),
            (torch.Tensor, "type", staying(torch.Tensor.type)),
            (torch.Tensor, "float", lambda x: x if wide(x) else float_(x)),
            (torch.Tensor, "cos", once(torch.Tensor.cos)),
            (torch.Tensor, "sin", once(torch.Tensor.sin)),
            (torch, "cos", once(torch.cos)),
            (torch, "sin", once(torch.sin)),
            (torch, "softmax", soft(torch.softmax)),
            (torch.nn.functional, "softmax", soft(torch.nn.functional.softmax)),
        ]:
            patches.enter_context(mock.patch.object(place, name, made))
        yield


def opened(case, dtype):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.join(OUT, case), attn_implementation="eager", dtype=dtype
    )
    model.config._experts_implementation = "eager"
    return model.eval()


def continued(model, case, prompt, mask, rest):
    """Logits of `rest`, behind a prompt whose keys and values are kept."""
    whole = torch.cat([mask, torch.ones_like(rest)], 1)
    places = positions(whole)
    # OPT counts by the mask itself.
    at = lambda part: {} if case == "opt" else {"position_ids": places[:, part]}
    n = prompt.shape[1]
    with torch.no_grad():
        first = model(prompt, attention_mask=mask, use_cache=True, **at(slice(0, n)))
        past = first.past_key_values
        return model(
            rest, attention_mask=whole, past_key_values=past, use_cache=True, **at(slice(n, None))
        ).logits


def make(case):
    rng = torch.Generator().manual_seed(11)
    prompt, mask = torch.randint(3, 48, (3, 9), generator=rng), torch.ones(3, 9, dtype=torch.long)
    for row, padding in enumerate([3, 0, 7]):
        prompt[row, :padding] = mask[row, :padding] = 0
    rest = torch.randint(3, 48, (3, 4), generator=rng)
    narrow, wide = opened(case, torch.float32), opened(case, torch.float64)
    logits = continued(narrow, case, prompt, mask, rest)
    far = (logits.double() - continued(wide, case, prompt, mask, rest)).abs().max().item()
    tokens = load_file(os.path.join(OUT, case, "reference.safetensors"))["tokens"].long()
    with torch.no_grad(), nothing_narrowed():
        exact = wide(tokens, use_cache=False).logits
    out = {"prompt": prompt, "mask": mask, "rest": rest, "logits": logits, "exact": exact}
    # In float64 Hugging Face makes NaN of rows that see nothing, and they spread.
    meta = {"distance logits": repr(far if far == far else 0.0)}
    save(out, os.path.join(OUT, case, "continued.safetensors"), meta)
    print(case, f"std {logits.std():.2f}", meta["distance logits"], flush=True)


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
