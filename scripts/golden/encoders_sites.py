"""Every site of an encoder of Hugging Face, by forward hooks on its modules."""

from unittest import mock

import torch
from transformers.models.bert import modeling_bert
from transformers.models.clip import modeling_clip
from transformers.models.vit import modeling_vit


def parts(model, case, tower):
    """The modules by the roles they have in all three."""
    if case.startswith("bert") or case == "minilm":
        base = model if case == "minilm" else model.bert
        layers = [
            dict(
                layer=l,
                attention=l.attention.self,
                q=l.attention.self.query,
                k=l.attention.self.key,
                v=l.attention.self.value,
                o=l.attention.output.dense,
                ln1=l.attention.output.LayerNorm,
                fc1=l.intermediate.dense,
                fc2=l.output.dense,
                ln2=l.output.LayerNorm,
            )
            for l in base.encoder.layer
        ]
        return base, layers, modeling_bert
    if case.startswith("vit"):
        base = model.vit if case == "vit" else model
        layers = [
            dict(layer=l, attention=l.attention, o=l.attention.o_proj, ln1=l.layernorm_before, ln2=l.layernorm_after)
            for l in base.layers
        ]
    else:
        base = getattr(model, {"text": "text_model", "image": "vision_model"}[tower], model)
        layers = [
            dict(layer=l, attention=l.self_attn, o=l.self_attn.out_proj, ln1=l.layer_norm1, ln2=l.layer_norm2)
            for l in base.encoder.layers
        ]
    for one in layers:
        one.update({k: getattr(one["attention"], f"{k}_proj") for k in "qkv"})
        one.update(fc1=one["layer"].mlp.fc1, fc2=one["layer"].mlp.fc2)
    return base, layers, modeling_vit if case.startswith("vit") else modeling_clip


def record(model, case, tower, run):
    base, layers, module = parts(model, case, tower)
    seen, handles = {}, []

    def on(part, of):
        handles.append(part.register_forward_hook(lambda _, given, out: of(given[0] if given else None, out)))

    def output(part, site, shape=lambda x: x):
        on(part, lambda _, out: seen.update({site: shape(out[0] if isinstance(out, tuple) else out)}))

    def given(part, site):
        on(part, lambda x, _: seen.update({site: x}))

    def norm(part, at):
        def keep(x, _):
            scale = (x.var(-1, correction=0, keepdim=True) + part.eps).sqrt()
            seen[f"{at}.hook_scale"] = scale
            seen[f"{at}.hook_normalized"] = (x - x.mean(-1, keepdim=True)) / scale

        on(part, keep)

    for i, one in enumerate(layers):
        at = f"blocks.{i}"
        heads = one["attention"].config.num_attention_heads
        split = lambda x, heads=heads: x.unflatten(-1, (heads, -1))
        post = module is modeling_bert
        given(one["layer"], f"{at}.hook_resid_pre")
        for k in "qkv":
            output(one[k], f"{at}.attn.hook_{k}", split)
        output(one["o"], f"{at}.hook_attn_out")
        norm(one["ln1"], f"{at}.ln1")
        norm(one["ln2"], f"{at}.ln2")
        given(one["ln1" if post else "ln2"], f"{at}.hook_resid_mid")
        output(one["fc1"], f"{at}.mlp.hook_pre")
        given(one["fc2"], f"{at}.mlp.hook_post")
        output(one["fc2"], f"{at}.hook_mlp_out")
        if post:
            given(one["ln2"], f"{at}.hook_resid_post")
        output(one["layer"], f"{at}.hook_{'normalized_' if post else ''}resid_post")

        def results(x, _, one=one, at=at, heads=heads):
            W = one["o"].weight.unflatten(1, (heads, -1))
            seen[f"{at}.attn.hook_result"] = torch.einsum("bphd,mhd->bphm", x.unflatten(-1, (heads, -1)), W)

        on(one["o"], results)
    ends(model, base, case, tower, output, norm, seen, on)

    attend = module.eager_attention_forward

    def watched(attention, query, key, value, attention_mask, scaling=None, **more):
        at = f"blocks.{[one['attention'] for one in layers].index(attention)}.attn"
        scores = query @ key.transpose(-1, -2) * (scaling or query.shape[-1] ** -0.5)
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask < -1e30, -torch.inf)
        out, pattern = attend(attention, query, key, value, attention_mask, scaling=scaling, **more)
        seen.update({f"{at}.hook_attn_scores": scores, f"{at}.hook_pattern": pattern, f"{at}.hook_z": out})
        return out, pattern

    with mock.patch.object(module, "eager_attention_forward", watched):
        run()
    for handle in handles:
        handle.remove()
    batch = next(x for k, x in seen.items() if k.endswith("resid_pre")).shape[0]
    table = seen["hook_pos_embed"]
    seen["hook_pos_embed"] = table.expand(batch, *table.shape[-2:])
    return seen


def ends(model, base, case, tower, output, norm, seen, on):
    e = base.embeddings
    if case.startswith("bert") or case == "minilm":
        output(e.word_embeddings, "hook_embed")
        output(e.position_embeddings, "hook_pos_embed")
        output(e.token_type_embeddings, "hook_token_type_embed")
        norm(e.LayerNorm, "embed.ln")
        output(e.LayerNorm, "hook_full_embed")
    elif case.startswith("vit"):
        output(e.patch_embeddings, "hook_embed")
        seen["hook_pos_embed"] = e.position_embeddings.detach()
        output(e, "hook_full_embed")
        norm(base.layernorm, "ln_final")
        output(base.layernorm, "hook_ln_final")
    elif tower == "text":
        output(e.token_embedding, "hook_embed")
        output(e.position_embedding, "hook_pos_embed")
        output(e, "hook_full_embed")
        norm(base.final_layer_norm, "ln_final")
        output(base.final_layer_norm, "hook_ln_final")
    else:
        output(e.patch_embedding, "hook_embed", lambda x: x.flatten(2).transpose(1, 2))
        output(e.position_embedding, "hook_pos_embed")
        output(e, "hook_full_embed")
        norm(base.pre_layrnorm, "ln_pre")
        output(base.pre_layrnorm, "hook_ln_pre")

        # Hugging Face norms the class token only; what we norm is each position.
        def last(x, _):
            n = base.post_layernorm
            scale = (x.var(-1, correction=0, keepdim=True) + n.eps).sqrt()
            seen["ln_final.hook_scale"] = scale
            seen["ln_final.hook_normalized"] = (x - x.mean(-1, keepdim=True)) / scale
            seen["hook_ln_final"] = seen["ln_final.hook_normalized"] * n.weight + n.bias

        on(base.encoder, lambda _, out: last(out.last_hidden_state, None))
    if getattr(base, "pooler", None) is not None:
        output(base.pooler, "pooler.hook_pooler_out")
    if hasattr(model, "cls"):
        norm(model.cls.predictions.transform.LayerNorm, "mlm_head.ln")
