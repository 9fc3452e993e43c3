"""The model of llama-q8_0.gguf once more in 4-bit blocks, and how far those are from it.

Writes test/golden/checkpoints/llama-q4_0.gguf and gguf-blocks.json. Needs: gguf 0.19.
"""
import json
import pathlib

import gguf
import numpy as np

OUT = pathlib.Path("test/golden/checkpoints")
reader = gguf.GGUFReader(OUT / "llama-q8_0.gguf")
writer = gguf.GGUFWriter(OUT / "llama-q4_0.gguf", "llama")
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    kind, sub = field.types[0], field.types[1] if len(field.types) > 1 else None
    writer.add_key_value(name, field.contents(), kind, sub)
squares = whole = largest = 0.0
for tensor in reader.tensors:
    exact = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    kind = gguf.GGMLQuantizationType.Q4_0 if exact.ndim == 2 else gguf.GGMLQuantizationType.F32
    data = gguf.quants.quantize(exact, kind)
    writer.add_tensor(tensor.name, data, raw_dtype=kind)
    if exact.ndim == 2:
        far = np.abs(gguf.quants.dequantize(data, kind).astype(np.float64) - exact)
        squares += (far**2).sum()
        whole += (exact.astype(np.float64) ** 2).sum()
        largest = max(largest, far.max())
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
told = {"relative": float(np.sqrt(squares / whole)), "largest": float(largest),
        "tensors": sum(len(t.shape) == 2 for t in reader.tensors)}
(OUT / "gguf-blocks.json").write_text(json.dumps(told))
