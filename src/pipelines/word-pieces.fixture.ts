// A tokenizer of 48 letters and marks, for the golden models of every family.

/** 48 entries: letters, alone and within a word, and the marks of a Llama. */
export function wordPieces(): object {
  const letters = [..."etaoinshrdlcumwfgypbv"];
  const names = ["[UNK]", "<s>", "</s>", ...letters, ...letters.map((c) => `##${c}`), ".", ","];
  const vocab = Object.fromEntries(names.map((name, id) => [name, id]));
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["[UNK]", "<s>", "</s>"].map((content, id) => ({
      id,
      content,
      special: true,
      ...special,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
