"""A tiny SentencePiece BPE model: its pieces, scores and encodings by the C++ library.

Writes test/golden/text/sentencepiece.json. Needs: sentencepiece 0.2.3, and tokenizer_kinds.py beside.
"""
import io
import json
import pathlib

import sentencepiece

from tokenizer_kinds import CORPUS, TEXTS

if __name__ == "__main__":
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.split("\n") if line), model_writer=model,
        model_type="bpe", vocab_size=460, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, hard_vocab_limit=False, minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    out = {
        "entries": [sp.id_to_piece(i) for i in range(sp.get_piece_size())],
        "scores": [sp.get_score(i) for i in range(sp.get_piece_size())],
        "cases": [{"text": t, "ids": sp.encode(t), "decoded": sp.decode(sp.encode(t))}
                  for t in TEXTS + ["tttthe the hehe " * 20] if "\0" not in t],
    }
    path = pathlib.Path(__file__).parents[2] / "test/golden/text/sentencepiece.json"
    path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.stat().st_size)
