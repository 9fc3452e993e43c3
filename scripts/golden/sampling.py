"""What transformers leaves of fixed logits after temperature, top-k, top-p and min-p."""
import json

import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

torch.manual_seed(0)
cases = []
settings = [
    dict(temperature=1.0),
    dict(temperature=0.7),
    dict(temperature=1.0, top_k=5),
    dict(temperature=1.3, top_p=0.8),
    dict(temperature=0.9, min_p=0.1),
    dict(temperature=1.5, top_k=20, top_p=0.9, min_p=0.02),
    dict(temperature=0.5, top_p=0.05),
]
for i, s in enumerate(settings):
    logits = torch.randn(1, 40) * 2.5
    if i == 2:
        logits[0, 7] = logits[0].topk(5).values[-1]  # a tie at the k-th
    x = TemperatureLogitsWarper(s["temperature"])(None, logits) if s["temperature"] != 1 else logits
    if "top_k" in s:
        x = TopKLogitsWarper(s["top_k"])(None, x)
    if "top_p" in s:
        x = TopPLogitsWarper(s["top_p"])(None, x)
    if "min_p" in s:
        x = MinPLogitsWarper(s["min_p"])(None, x)
    p = torch.softmax(x.double(), -1)[0]
    cases.append(
        dict(
            options=s,
            logits=[round(v, 6) for v in logits[0].tolist()],
            kept={str(j): p[j].item() for j in range(40) if p[j] > 0},
        )
    )
json.dump(dict(cases=cases), open("test/golden/sampling.json", "w"), indent=0)
