"""A tiny SentencePiece BPE model: its pieces, scores and encodings by the C++ library.

Writes test/golden/text/sentencepiece.json. `marked` has texts with marks in them, as chat templates write
them: encoded by tokenizers with the normalizer of a Llama or (no space before a text) of a Gemma.
Needs: sentencepiece 0.2.3, tokenizers 0.23.3, and tokenizer_kinds.py beside.
"""
import io
import json
import pathlib

import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers

from tokenizer_kinds import CORPUS, TEXTS

MARKS = ["<|user|>", "<|end|>", "<pad>"]
CHATS = ["<s><|user|>\nthe moss<|end|>\n<|user|>", "<|user|> the <|end|>  x<|end|>", "a<pad>b</s>", "<unk> the<s>",
         "<|user|", "<|end|><|end|>", " <s> ", "<|user|>", "the <| user|>"]


def as_transformers(entries, scores, prefix, rstrip):
    """Merges are every way to make an entry of two others, the highest score first, as transformers converts."""
    ids = {entry: i for i, entry in enumerate(entries)}
    merges = []
    for entry, i in ids.items():
        for at in range(1, len(entry)):
            if entry[:at] in ids and entry[at:] in ids and i > 2:
                merges.append((scores[i], entry[:at], entry[at:]))
    merges.sort(key=lambda merge: -merge[0])
    tokenizer = Tokenizer(models.BPE(ids, [merge[1:] for merge in merges], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    spaces = normalizers.Replace(" ", "\u2581")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), spaces]) if prefix else spaces
    tokenizer.add_tokens([AddedToken(entry, normalized=False, special=True) for entry in entries[:3]])
    tokenizer.add_tokens([AddedToken(mark, normalized=False, special=True, rstrip=rstrip) for mark in MARKS])
    return tokenizer

if __name__ == "__main__":
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.split("\n") if line), model_writer=model,
        model_type="bpe", vocab_size=460, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, hard_vocab_limit=False, minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    entries = [sp.id_to_piece(i) for i in range(sp.get_piece_size())]
    scores = [sp.get_score(i) for i in range(sp.get_piece_size())]
    marked = []
    for prefix, rstrip in [(True, False), (True, True), (False, False)]:
        tokenizer = as_transformers(entries, scores, prefix, rstrip)
        assert tokenizer.token_to_id(MARKS[0]) == len(entries)
        cases = [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in CHATS + TEXTS[:6]]
        marked.append({"addPrefix": prefix, "rstrip": rstrip, "cases": cases})
    out = {
        "entries": entries,
        "scores": scores,
        "marks": MARKS,
        "marked": marked,
        "cases": [{"text": t, "ids": sp.encode(t), "decoded": sp.decode(sp.encode(t))}
                  for t in TEXTS + ["tttthe the hehe " * 20] if "\0" not in t],
    }
    path = pathlib.Path(__file__).parents[2] / "test/golden/text/sentencepiece.json"
    path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.stat().st_size)
