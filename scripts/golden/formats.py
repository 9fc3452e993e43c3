# Writes test/golden/formats/: small checkpoints by torch.save (zip and legacy), by the gguf package and
# by hand, each beside a .json with what they hold. Run: python scripts/golden/formats.py
# Needs torch 2.13, numpy 2.4, gguf 0.19.
import collections
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q

out = Path(__file__).parents[2] / "test/golden/formats"
out.mkdir(parents=True, exist_ok=True)


def listed(x):
    """What a tensor holds, as numbers that JSON can say; halves as their bits."""
    x = x.detach().contiguous()
    if x.dtype in (torch.float16, torch.bfloat16):
        return x.view(torch.int16).to(torch.int32).bitwise_and(0xFFFF).flatten().tolist()
    if x.dtype == torch.uint32:
        return x.numpy().flatten().tolist()
    return [int(v) if isinstance(v, bool) else v for v in x.flatten().tolist()]


def expected(tensors):
    return {
        name: {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": listed(x)}
        for name, x in tensors.items()
    }


def save_json(name, value):
    (out / name).write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")


# --- PyTorch -----------------------------------------------------------------------------------

g = torch.Generator().manual_seed(0)
base = torch.randn(4, 6, generator=g)
state = collections.OrderedDict()
state["plain"] = torch.randn(2, 3, generator=g)
state["transposed"] = base.t()
state["sliced"] = base[1:, 1::2]
state["shared.whole"] = base
state["half"] = torch.randn(5, generator=g).half()
state["bfloat"] = torch.randn(3, 2, generator=g).bfloat16()
state["double"] = torch.randn(2, generator=g, dtype=torch.float64)
state["long"] = torch.tensor([2**40, -3])
state["int"] = torch.tensor([[7, -8]], dtype=torch.int32)
state["short"] = torch.tensor([-300, 300], dtype=torch.int16)
state["char"] = torch.tensor([-128, 127], dtype=torch.int8)
state["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
state["bool"] = torch.tensor([True, False, True])
state["scalar"] = torch.tensor(2.5)
state["empty"] = torch.zeros(0, 4)
state["expanded"] = torch.tensor([1.5]).expand(3, 2)
state["parameter"] = torch.nn.Parameter(torch.randn(2, 2, generator=g))
state["имя"] = torch.ones(1)
state._metadata = collections.OrderedDict([("", {"version": 1})])

save_json("torch.json", expected(state))
torch.save(state, out / "torch-zip.pt")
torch.save(state, out / "torch-legacy.pt", _use_new_zipfile_serialization=False)
for protocol in (3, 4, 5):
    torch.save(state, out / f"torch-zip-{protocol}.pt", pickle_protocol=protocol)

# A training checkpoint: nested, with lists, numbers, tuples and None.
nested = {
    "epoch": 3,
    "lr": 1e-3,
    "best": None,
    "done": True,
    "big": 2**70,
    "betas": (0.9, 0.999),
    "size": torch.Size([2, 3]),
    "model": {"w": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3)},
    "optimizer": {"state": {0: {"exp_avg": torch.zeros(2), "step": torch.tensor(7.0)}}, "groups": [{"params": [0]}]},
    "history": [torch.tensor([1, 2]), 5],
}
torch.save(nested, out / "torch-nested.pt")
# Types with no storage class of their own are rebuilt from untyped bytes.
torch.save({"u32": torch.tensor([1, 2**32 - 1], dtype=torch.uint32), "u16": torch.tensor([65535], dtype=torch.uint16)}, out / "torch-v3.pt")


class Evil:
    def __reduce__(self):
        return (os.system, ("echo owned > /tmp/micrographia-owned",))


torch.save({"w": torch.ones(2), "x": Evil()}, out / "torch-evil.pt")
torch.save({"w": torch.ones(2), "x": Evil()}, out / "torch-evil-legacy.pt", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(2, 2), out / "torch-module.pt")


def rezip(source, change, compress=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(made, "w", compress) as new:
        for item in old.infolist():
            data = change(item.filename, old.read(item))
            if data is not None:
                new.writestr(item.filename, data)
    return made.getvalue()


plain = out / "torch-nested.pt"
(out / "torch-big-endian.pt").write_bytes(rezip(plain, lambda name, data: b"big" if name.endswith("byteorder") else data))
(out / "torch-deflated.pt").write_bytes(rezip(plain, lambda _, data: data, zipfile.ZIP_DEFLATED))


def zip64(source):
    """The same archive with every size and offset in its zip64 field, as files beyond 4 GiB have them."""
    body, directory, count = b"", b"", 0
    with zipfile.ZipFile(source) as old:
        for item in old.infolist():
            data, name = old.read(item), item.filename.encode()
            at = len(body)
            extra = struct.pack("<HHQQ", 1, 16, len(data), len(data))
            body += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 0, 0, 0, item.CRC, 2**32 - 1, 2**32 - 1, len(name), len(extra))
            body += name + extra + data
            extra = struct.pack("<HHQQQ", 1, 24, len(data), len(data), at)
            directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 0, item.CRC, 2**32 - 1, 2**32 - 1, len(name), len(extra), 0, 0, 0, 0, 2**32 - 1)
            directory += name + extra
            count += 1
    end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return body + directory + end + locator + last


(out / "torch-zip64.pt").write_bytes(zip64(plain))
again = torch.load(out / "torch-zip64.pt")
assert torch.equal(again["model"]["w"], nested["model"]["w"])

# --- GGUF --------------------------------------------------------------------------------------

rng = np.random.default_rng(0)
writer = gguf.GGUFWriter(out / "small.gguf", "llama")
writer.add_uint32("llama.block_count", 2)
writer.add_float32("llama.rope.freq_base", 10000.0)
writer.add_bool("test.flag", True)
writer.add_uint64("test.big", 2**60)
writer.add_int8("test.small", -5)
writer.add_string("general.name", "маленькая 小")
writer.add_array("tokenizer.ggml.tokens", ["<unk>", "▁a", "é"])
writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.25])
writer.add_array("test.counts", [1, 2, 3])
want = {}


def add(name, data, kind, values, shape):
    writer.add_tensor(name, data, raw_dtype=kind)
    want[name] = {"stored": kind.name, "shape": list(shape), "data": np.asarray(values, dtype=np.float32).flatten().tolist()}


f32 = rng.standard_normal((2, 3)).astype(np.float32)
add("f32", f32, Q.F32, f32, f32.shape)
f16 = rng.standard_normal((3, 2)).astype(np.float16)
add("f16", f16, Q.F16, f16.astype(np.float32), f16.shape)
wide = rng.standard_normal((2, 64)).astype(np.float32)
for kind in (Q.BF16, Q.Q8_0, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1):
    packed = gguf.quants.quantize(wide, kind)
    add(kind.name.lower(), packed, kind, gguf.quants.dequantize(packed, kind), wide.shape)
# No quantiser for these in the package: random blocks, with sane half-precision scales.
scales = {Q.Q2_K: (80, 82), Q.Q3_K: (108,), Q.Q4_K: (0, 2), Q.Q5_K: (0, 2), Q.Q6_K: (208,)}
for kind, places in scales.items():
    _, width = gguf.GGML_QUANT_SIZES[kind]
    packed = rng.integers(0, 256, (2, width), dtype=np.uint8)
    for at in places:
        packed[:, at : at + 2] = np.frombuffer(rng.standard_normal(2).astype(np.float16).tobytes(), np.uint8).reshape(2, 2)
    add(kind.name.lower(), packed, kind, gguf.quants.dequantize(packed, kind), (2, 256))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_json("gguf.json", want)

# --- llama2.c ----------------------------------------------------------------------------------

dim, hidden, layers, heads, kv_heads, vocab, seq = 4, 6, 2, 2, 1, 5, 3
size = dim // heads
shapes = [(vocab, dim), (layers, dim), (layers, heads * size, dim), (layers, kv_heads * size, dim), (layers, kv_heads * size, dim)]
shapes += [(layers, dim, heads * size), (layers, dim), (layers, hidden, dim), (layers, dim, hidden), (layers, hidden, dim), (dim,)]
shapes += [(seq, size // 2), (seq, size // 2), (vocab, dim)]
count = sum(int(np.prod(s)) for s in shapes)
header = struct.pack("<7i", dim, hidden, layers, heads, kv_heads, -vocab, seq)
(out / "untied.llama2c.bin").write_bytes(header + np.arange(count, dtype=np.float32).tobytes())
pieces = [b"<unk>", b"\n<s>\n", b"<0x0A>", "é".encode(), b" a"]
body = b"".join(struct.pack("<fi", -i / 2, len(p)) + p for i, p in enumerate(pieces))
(out / "tokenizer.llama2c.bin").write_bytes(struct.pack("<i", max(map(len, pieces))) + body)
