"""Tiny tokenizers of every kind, trained here, with their encodings by Hugging Face's Rust library.

Writes test/golden/text/tokenizers.json. Needs: tokenizers 0.23.3.
"""
import json
import pathlib

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

CORPUS = [
    "The moss grows on the north side of the stone, and the lichen grows on the south side.",
    "A spider's web caught the morning light; it wasn't broken by the wind.",
    "In 1925 the naturalist counted 312 snails, 17 beetles and no fewer than 4,096 ants!",
    "Die Würmer im Boden fraßen die Blätter, und die Käfer flogen über das Feld.",
    "細胞は生命の基本単位である。",
    "def grow(moss):\n    return moss + 1\n",
    "unbelievable unbreakable unfolding refolding rewinding growing growth grower",
] * 3

TEXTS = [
    "", " ", "  two  spaces  ", "The moss grows.", " The moss", "stone\n\n  stone\t!", "unfolding growth",
    "Würmer über Käfer", "WÜRMER ÜBER KÄFER", "細胞 and 細胞", "emoji 🙂 and 👩‍🔬 end", "é\u0301 e\u0301", "İstanbul ΣΑΣ",
    "right-to-left \u200fשלום\u200e مرحبا", "zero\u200bwidth \u00a0nbsp\u3000ideographic", "a\u0000b\ufffdc", "x_y-z 3.14 1,000",
    "<s>bos</s> inside <pad>", "mask [MASK] it", "    four spaces", "▁mark ▁", "ﬁne ２ ｱ㎏", "a" * 130,
    "don't won't I'll", "tail ", "\n", "𝟙𝟚𝟛", "qqq zzz", "<mask> after", "before   <mask>   after", "smasky mask <extra>",
]


def added(names, **options):
    return [AddedToken(name, special=True, **options) for name in names]


def train(model, trainer, setup):
    tokenizer = Tokenizer(model)
    setup(tokenizer)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def with_bytes(tokenizer, names, normalizer, pre, decoder, template):
    """A trained BPE becomes one with byte fallback, as a SentencePiece model is converted."""
    model = json.loads(tokenizer.to_str())["model"]
    tokens = names + [f"<0x{byte:02X}>" for byte in range(256)]
    tokens += [token for token in model["vocab"] if token not in tokens]
    vocab = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(merge) for merge in model["merges"]]
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer is not None:
        made.normalizer = normalizer
    if pre is not None:
        made.pre_tokenizer = pre
    made.decoder = decoder
    made.add_special_tokens(added(names, normalized=False))
    if template:
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("<s>", 1), ("</s>", 2)])
    return made


def llama():
    base = train(models.BPE(), trainers.BpeTrainer(vocab_size=130, show_progress=False), lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace()))
    return with_bytes(
        base, ["<unk>", "<s>", "</s>"],
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None,
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        "<s> $A")


def mistral():
    base = train(models.BPE(), trainers.BpeTrainer(vocab_size=120, show_progress=False), lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace()))
    return with_bytes(
        base, ["<unk>", "<s>", "</s>"], None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        "<s> $A </s>")


def gemma():
    base = train(models.BPE(), trainers.BpeTrainer(vocab_size=120, show_progress=False), lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace(prepend_scheme="never")))
    return with_bytes(
        base, ["<pad>", "</s>", "<s>", "<unk>"], normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]), None)


def bert(lowercase):
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    def setup(tokenizer):
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()

    made = train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=190, special_tokens=names, show_progress=False), setup)
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def unigram():
    def setup(tokenizer):
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()

    made = train(models.Unigram(), trainers.UnigramTrainer(vocab_size=160, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False), setup)
    made.add_special_tokens([AddedToken("<mask>", special=True, lstrip=True, normalized=False)])
    made.add_tokens([AddedToken("mask", single_word=True, normalized=True)])
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made


def neox():
    def setup(tokenizer):
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()

    made = train(models.BPE(), trainers.BpeTrainer(vocab_size=330, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False), setup)
    made.add_tokens([AddedToken(" " * n, normalized=True) for n in (4, 3, 2)])
    made.add_special_tokens([AddedToken("<mask>", special=True, lstrip=True, rstrip=True, normalized=False)])
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def clip():
    def setup(tokenizer):
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False)])
        tokenizer.decoder = decoders.ByteLevel()

    letters = pre_tokenizers.ByteLevel.alphabet()
    base = train(models.BPE(end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=300, end_of_word_suffix="</w>", initial_alphabet=letters, show_progress=False), setup)
    model = json.loads(base.to_str())["model"]
    tokens = sorted(letters) + [letter + "</w>" for letter in sorted(letters)]
    tokens += [token for token in model["vocab"] if token not in tokens] + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) for m in model["merges"]], end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    setup(made)
    made.add_special_tokens(added(["<|startoftext|>", "<|endoftext|>"], normalized=False))
    end, start = vocab["<|endoftext|>"], vocab["<|startoftext|>"]
    made.post_processor = processors.RobertaProcessing(("<|endoftext|>", end), ("<|startoftext|>", start), trim_offsets=False, add_prefix_space=False)
    return made


def digits():
    """Llama 3's cut: a Split and then bytes; whole words of the vocabulary are not merged."""
    def setup(tokenizer):
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()

    made = train(models.BPE(ignore_merges=True), trainers.BpeTrainer(vocab_size=330, special_tokens=["<s>", "<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False), setup)
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])])
    return made


def cases(tokenizer):
    rows = []
    for text in TEXTS:
        plain = tokenizer.encode(text, add_special_tokens=False)
        around = tokenizer.encode(text, add_special_tokens=True)
        rows.append({
            "text": text, "ids": plain.ids, "offsets": [x for pair in plain.offsets for x in pair],
            "special": around.ids, "decoded": tokenizer.decode(plain.ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(around.ids, skip_special_tokens=True)})
    return rows


KINDS = {"llama": llama(), "mistral": mistral(), "gemma": gemma(), "bert": bert(True), "bert-cased": bert(False),
         "unigram": unigram(), "neox": neox(), "clip": clip(), "digits": digits()}

if __name__ == "__main__":
    out = {name: {"tokenizer": json.loads(t.to_str()), "cases": cases(t)} for name, t in KINDS.items()}
    path = pathlib.Path(__file__).parents[2] / "test/golden/text/tokenizers.json"
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}" for name, value in out.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(path.stat().st_size)
