# Makes bpe.json with Hugging Face's Rust library: pip install tokenizers==0.23.1, python make.py
import json, pathlib
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, decoders, __version__

corpus = [
    "The cell is the unit of the living; the cell is small, the cells are many. They're what we've seen, and we'll see more.",
    "low lower lowest, new newer newest, wide wider widest; low low low low low, newer newer, wider wider wider",
    "if (value === undefined) {\n    return undefined;\n}\n\n\tconst values = [1, 2, 3];\n    return values.length;\n",
    "Der Vergleich der Verträge: der Verkäufer verpflichtet sich, die Verpackung zu verkaufen. Die Größe größer.",
    "Le marché de l'été: l'eau, l'été, l'hiver. Où était-elle? Elle était à l'école, où l'on était.",
    "Человек человеку: человечество помнит человека, человеку помогает человек.",
    "Ελληνικά γράμματα: τα γράμματα των Ελλήνων.",
    "שלום עולם, שלום לכולם, עולם שלם.",
    "السلام عليكم، السلام على الجميع.",
    "細胞は小さい。細胞は多い。細胞を見る。小さい細胞を見る。",
    "細胞很小,細胞很多,我們看見細胞。",
    "सेल छोटा है, सेल बहुत हैं, हम सेल देखते हैं।",
    "aaaa aaaaaaaa aaaaaaaaaaaaaaaa bababababab bababab abab abab abab",
    "==== ======== ================ ---- -------- \r\n\r\n  \t  \u00a0\u2003x",
    "🙂🙂🙂 👩‍👩‍👧‍👦 🇬🇷🇮🇱 🙂🙃🙂🙃",
    "U2FsdGVkX1 U2FsdGVkX2 U2FsdGVk 0123456789 0123 4567 89 1234 ½ ² Ⅷ ٣٤٥",
]
strings = [
    "", " ", "  ", "   x", "\n", "\n\n x", " \n", "\t\tx ", "x \u00a0 y", "\u0085x \u0085", "\ufeffthe\ufeff cell",
    "the cells", " the  cells   lower\n", "They're we've we'll I'm he'd it's 's 'S ''s 'x '", "isn't 'tis",
    "\u0000", "a\u0000b\u0000\u0000 c", "\u200e\u200fשלום\u202eabc\u202c", "\ufffd\ufffd x \ufffd", "\u2028a\u2029 b",
    "e\u0301 é ế ệ", "ﷺ ﬁ ß ẞ ſ ǅ", "🙂", " 🙂🙂", "👩‍👩‍👧‍👦", "\U0010ffff\U00010000", "𝒳𝒴 𝟙𝟚 𐐀",
    "½²Ⅷ٣٤٥ 1a2b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababab", "細胞細胞小", "सेलसेल", "เซลล์เล็ก", "세포는 작다",
    "<|endoftext|>", "a<|endoftext|> b<|endoftext|><|endoftext|>", "<|endoftext", "if (a) {\r\n\treturn;\r\n}\r\n\r\n",
    "=" * 70, " " * 70 + "x", "a" * 300, "ab" * 200 + "細胞" * 60, "x" + "\u0301" * 120,
]

def train(vocab):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tok

tok = train(600)
out = {
    "made_with": f"tokenizers {__version__}",
    "corpus": corpus,
    "d_vocab": tok.get_vocab_size(),
    "merges": [" ".join(m) if isinstance(m, list) else m for m in json.loads(tok.to_str())["model"]["merges"]],
    "encodings": [{"text": s, "ids": e.ids, "offsets": [list(o) for o in e.offsets]} for s in strings for e in [tok.encode(s)]],
}
pathlib.Path(__file__).with_name("bpe.json").write_text(json.dumps(out, ensure_ascii=True, indent=0).replace(",\n", ", ").replace("}, {", "},\n{") + "\n")
print(out["d_vocab"], len(out["merges"]))
