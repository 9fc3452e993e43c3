// The tokenizer that a GGUF file carries: SentencePiece's scores, or byte-level merges.
import { check, fail } from "../../base/errors.ts";
import type { GgufValue } from "../../formats/gguf/metadata.ts";
import { scoreTokenizer, type WholeEntry } from "../../text/score-tokenizer.ts";
import { loadTokenizer, type Tokenizer } from "../../text/tokenizer.ts";

type Metadata = ReadonlyMap<string, GgufValue>;

interface Where {
  readonly where: string;
  /** Whether the architecture is GPT-2, whose older files do not say how a text is cut. */
  readonly gpt2: boolean;
}

const code = "text/tokenizer-kind";
const prefix = "tokenizer.ggml.";
/** Numbers of `token_type`. */
const unknown = 2;
const control = 3;
const userDefined = 4;

const split = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const byteLevel = (use_regex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const sequence = (...pretokenizers: object[]) => ({ type: "Sequence", pretokenizers });
const words = (numbers: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

interface Cut {
  readonly pre_tokenizer: object;
  readonly normalizer?: object;
  /** Entries are taken whole before merges are tried, and a text begins with a mark. */
  readonly llama3?: boolean;
}

const llama3: Cut = {
  pre_tokenizer: sequence(split(words("\\p{N}{1,3}")), byteLevel(false)),
  llama3: true,
};
const digitsApart: Cut = {
  pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)),
};
/** GPT-NeoX and what took its tokenizer: Pythia, MPT, OLMo 1. */
const neox: Cut = { pre_tokenizer: byteLevel(true), normalizer: { type: "NFC" } };
/** How a text is cut before merging, by `tokenizer.ggml.pre`. */
const cuts: Readonly<Record<string, Cut>> = {
  "gpt-2": { pre_tokenizer: byteLevel(true) },
  "phi-2": { pre_tokenizer: byteLevel(true) },
  olmo: neox,
  mpt: neox,
  "llama-bpe": llama3,
  "llama-v3": llama3,
  llama3,
  qwen2: {
    pre_tokenizer: sequence(split(words("\\p{N}")), byteLevel(false)),
    normalizer: { type: "NFC" },
  },
  smollm: digitsApart,
  // Granite 3 is hashed as Refact is.
  refact: digitsApart,
  // OLMo 2 has the tokenizer of DBRX.
  dbrx: { pre_tokenizer: llama3.pre_tokenizer },
};

/** Undefined where the file has none. Errors: `text/tokenizer-kind`, `text/vocabulary`. */
export function ggufTokenizer(metadata: Metadata, place: Where): Tokenizer | undefined {
  const kind = metadata.get(`${prefix}model`);
  if (kind === undefined || kind === "no_vocab" || kind === "none") return undefined;
  if (kind === "llama") return fromScores(metadata, place);
  if (kind === "gpt2") return fromMerges(metadata, place);
  return fail(code, "this kind of tokenizer is not read from GGUF", {
    where: `${place.where}: ${prefix}model`,
    got: kind,
    wanted: "llama, gpt2",
    hint: "open the model with a tokenizer of your own, or with none",
  });
}

function texts(metadata: Metadata, name: string, where: string): string[] {
  const list = metadata.get(`${prefix}${name}`);
  const found = Array.isArray(list) && list.every((one) => typeof one === "string");
  if (found) return list as string[];
  return fail("text/vocabulary", `the file has no ${prefix}${name}`, {
    where,
    got: typeof list,
    wanted: "a list of texts",
  });
}

function idAt(metadata: Metadata, name: string): number | undefined {
  const id = metadata.get(`${prefix}${name}_token_id`);
  return typeof id === "number" && id !== 0xffffffff ? id : undefined;
}

function flag(metadata: Metadata, name: string): boolean | undefined {
  const got = metadata.get(`${prefix}${name}`);
  return typeof got === "boolean" ? got : undefined;
}

function numbers(metadata: Metadata, name: string): ArrayLike<number> | undefined {
  const list = metadata.get(`${prefix}${name}`);
  return typeof list === "object" ? (list as ArrayLike<number>) : undefined;
}

function fromScores(metadata: Metadata, { where }: Where): Tokenizer {
  const entries = texts(metadata, "tokens", where);
  const scores = numbers(metadata, "scores");
  if (scores === undefined)
    return fail("text/vocabulary", `the file has no ${prefix}scores`, { where, wanted: "scores" });
  const bos = idAt(metadata, "bos") ?? 1;
  return scoreTokenizer({
    entries,
    scores,
    unk: idAt(metadata, "unknown") ?? 0,
    bos,
    eos: idAt(metadata, "eos") ?? 2,
    addPrefix: flag(metadata, "add_space_prefix") ?? true,
    addBos: flag(metadata, "add_bos_token") ?? true,
    addEos: flag(metadata, "add_eos_token") ?? false,
    whole: wholeEntries(metadata, entries),
  });
}

/** Files do not say which marks take the white space after them: llama.cpp knows it of Phi 3 alone. */
function wholeEntries(metadata: Metadata, entries: readonly string[]): WholeEntry[] {
  const types = numbers(metadata, "token_type");
  const phi3 = metadata.get("general.architecture") === "phi3";
  return entries.flatMap((entry, id) => {
    const type = types?.[id];
    const special = type === control || type === unknown;
    if ((!special && type !== userDefined) || entry === "") return [];
    const rstrip = phi3 && special && !["<unk>", "<s>", "<|endoftext|>"].includes(entry);
    return [{ id, special, rstrip }];
  });
}

/** As the tokenizer.json that the file was made from would say it. */
function fromMerges(metadata: Metadata, { where, gpt2 }: Where): Tokenizer {
  const entries = texts(metadata, "tokens", where);
  const pre = metadata.get(`${prefix}pre`) ?? (gpt2 ? "gpt-2" : undefined);
  const cut = typeof pre === "string" && Object.hasOwn(cuts, pre) ? cuts[pre]! : undefined;
  if (cut === undefined)
    return fail(code, "how this tokenizer cuts a text is not known here", {
      where: `${where}: ${prefix}pre`,
      got: pre ?? "nothing",
      wanted: Object.keys(cuts).join(", "),
      hint: "open the model with its tokenizer.json, or with none",
    });
  const types = numbers(metadata, "token_type");
  const added = entries.flatMap((content, id) => {
    const type = types?.[id];
    if (type !== control && type !== userDefined) return [];
    return [{ id, content, special: type === control, normalized: false }];
  });
  const isAdded = new Set(added.map(({ id }) => id));
  const vocab = Object.create(null) as Record<string, number>;
  for (const [id, entry] of entries.entries()) if (!isAdded.has(id)) vocab[entry] = id;
  check(Object.keys(vocab).length + isAdded.size === entries.length, code, "entries repeat", {
    where: `${where}: ${prefix}tokens`,
    got: `${Object.keys(vocab).length + isAdded.size} distinct entries`,
    wanted: entries.length,
  });
  const named = (name: string): string | null => {
    const id = idAt(metadata, name);
    return id === undefined ? null : (entries[id] ?? null);
  };
  return loadTokenizer(
    {
      model: {
        type: "BPE",
        vocab,
        merges: texts(metadata, "merges", where),
        ignore_merges: cut.llama3 === true,
      },
      added_tokens: added,
      normalizer: cut.normalizer ?? null,
      pre_tokenizer: cut.pre_tokenizer,
      post_processor: null,
      decoder: byteLevel(true),
    },
    {
      config: {
        add_bos_token: flag(metadata, "add_bos_token") ?? cut.llama3 === true,
        add_eos_token: flag(metadata, "add_eos_token") ?? false,
        bos_token: named("bos"),
        eos_token: named("eos"),
      },
    },
  );
}
