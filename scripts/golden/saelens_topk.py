"""What SAELens makes of a dictionary that we saved, and the same dictionary as SAELens saves it.

npx tsx scripts/golden/saelens-fixture.ts        writes test/golden/saelens/ours
python scripts/golden/saelens_topk.py            (torch==2.13.0, sae_lens==6.54.12) writes beside it
    expected.safetensors   x, what SAELens encodes it to, and its reconstruction
    theirs/                SAELens's own file of the same dictionary
    rescaled/              decoder rows of other lengths, with rescale_acts_by_decoder_norm
    no_input_bias/         apply_b_dec_to_input false
"""
import json
import pathlib

import torch
from sae_lens import SAE
from safetensors.torch import save_file

folder = pathlib.Path("test/golden/saelens")
torch.manual_seed(5)
x = torch.randn(12, 9)
results = {"x": x}


@torch.no_grad()
def keep(name, sae):
    acts = sae.encode(x)
    results[f"{name}.acts"] = acts.contiguous()
    results[f"{name}.out"] = sae.decode(acts).contiguous()


def clean(path):
    """Fixed bytes: no device or time in the file."""
    config = json.loads((path / "cfg.json").read_text())
    (path / "cfg.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


ours = SAE.load_from_disk(str(folder / "ours"), device="cpu")
keep("ours", ours)
ours.save_model(str(folder / "theirs"))
clean(folder / "theirs")

rescaled = SAE.load_from_disk(str(folder / "ours"), device="cpu")
rescaled.cfg.rescale_acts_by_decoder_norm = True
with torch.no_grad():
    rescaled.W_dec.mul_(torch.rand(24, 1) + 0.5)
rescaled.save_model(str(folder / "rescaled"))
clean(folder / "rescaled")
keep("rescaled", SAE.load_from_disk(str(folder / "rescaled"), device="cpu"))

plain = SAE.load_from_disk(str(folder / "ours"), device="cpu")
plain.cfg.apply_b_dec_to_input = False
plain.save_model(str(folder / "no_input_bias"))
clean(folder / "no_input_bias")
keep("no_input_bias", SAE.load_from_disk(str(folder / "no_input_bias"), device="cpu"))

save_file(results, str(folder / "expected.safetensors"))
for name, value in results.items():
    print(name, tuple(value.shape), float(value.abs().mean()))
