// Is this tokenizer.json one that we understand? Reads it into tables, or says what is wrong with it.
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { byteLetters, entryBytes } from "./byte-letters.ts";
import type { MergeTable } from "./merge.ts";

export interface AddedToken {
  id: number;
  content: string;
}

export interface TokenizerTables {
  /** Bytes by id; undefined where the ids have a gap. */
  bytes: (Uint8Array | undefined)[];
  /** Id of each single byte. */
  byteId: Int32Array; // [256]
  merges: MergeTable;
  added: AddedToken[];
  /** Entry → id, for `ignore_merges`. */
  vocab: ReadonlyMap<string, number>;
  ignoreMerges: boolean;
  normalizer: "none" | "NFC";
  /** "gpt2" is cut by `eachWord`; "other" needs the library's pre-tokenizer. */
  cut: "gpt2" | "other";
}

type Json = Record<string, unknown>;

const code = "text/tokenizer-json";
const where = "tokenizer.json";

function bad(what: string, got: unknown, wanted: unknown): never {
  fail(code, `this tokenizer.json cannot be used: ${what}`, { where, got, wanted });
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** From the text, the bytes or the parsed value of a tokenizer.json. */
export function parseTokenizerFile(file: string | Uint8Array | object): Json {
  if (isObject(file) && !(file instanceof Uint8Array)) return file;
  const text = typeof file === "string" ? file : new TextDecoder().decode(file as Uint8Array);
  try {
    const json = parseJson(text);
    if (isObject(json)) return json;
  } catch (cause) {
    fail(code, "this tokenizer.json is not JSON: it may be cut off", { where, cause });
  }
  return bad("it is not an object", text.slice(0, 40), "an object with `model`");
}

/**
 * Byte-level BPE whose text is its tokens' bytes and nothing else: it has its own fast path. Broken
 * files of that kind count as well: they are refused there.
 */
export function isPlainByteLevel({
  model,
  added_tokens,
  normalizer,
  pre_tokenizer,
}: Json): boolean {
  if (!isObject(model)) return true;
  if (model.type !== "BPE" && (model.type !== undefined || !Array.isArray(model.merges)))
    return false;
  const affixes = [model.end_of_word_suffix, model.continuing_subword_prefix];
  if (affixes.some((affix) => typeof affix === "string" && affix !== "")) return false;
  const steps =
    isObject(pre_tokenizer) && pre_tokenizer.type === "Sequence"
      ? pre_tokenizer.pretokenizers
      : [pre_tokenizer];
  const last: unknown = Array.isArray(steps) ? steps.at(-1) : undefined;
  if (!isObject(last) || last.type !== "ByteLevel" || last.add_prefix_space === true) return false;
  const keeps = normalizer === undefined || normalizer === null;
  if (!keeps && !(isObject(normalizer) && normalizer.type === "NFC")) return false;
  const tokens = Array.isArray(added_tokens) ? added_tokens : [];
  return tokens.every(
    (token: unknown) =>
      !isObject(token) ||
      (!token.lstrip && !token.rstrip && !token.single_word && token.special !== false),
  );
}

export function readTokenizerFile(json: Json): TokenizerTables {
  const { model } = json;
  if (!isObject(model)) bad("it has no model", model, "an object");
  check(
    model.type === "BPE" || (model.type === undefined && Array.isArray(model.merges)),
    "text/tokenizer-kind",
    "only byte-level BPE tokenizers have exact offsets here",
    { where, got: model.type, wanted: "BPE" },
  );
  for (const key of ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
    if (model[key] !== undefined && model[key] !== null && model[key] !== "")
      if (!(key === "unk_token" && isByteComplete(model.vocab)))
        bad(`model.${key} is set`, model[key], null);
  const vocab = readVocab(model.vocab);
  const added = readAdded(json.added_tokens);
  const bytes = readBytes(vocab, added);
  return {
    bytes,
    byteId: Int32Array.from(byteLetters, (letter) => vocab.get(letter)!),
    merges: readMerges(model.merges, vocab, bytes.length),
    added,
    vocab,
    ignoreMerges: model.ignore_merges === true,
    normalizer: readNormalizer(json.normalizer),
    cut: readCut(json.pre_tokenizer),
  };
}

function isByteComplete(vocab: unknown): boolean {
  return isObject(vocab) && byteLetters.every((letter) => Object.hasOwn(vocab, letter));
}

function readVocab(vocab: unknown): Map<string, number> {
  if (!isObject(vocab)) bad("model.vocab is missing", vocab, "an object of entry: id");
  if (!isByteComplete(vocab))
    fail(
      "text/tokenizer-kind",
      "the vocabulary lacks some single bytes: it is not byte-level BPE",
      {
        where,
        got: byteLetters.filter((letter) => !Object.hasOwn(vocab, letter)).slice(0, 8),
        wanted: "all 256 letters of the byte alphabet",
      },
    );
  const entries = Object.entries(vocab) as [string, unknown][];
  const seen = new Set<number>();
  for (const [entry, id] of entries) {
    if (!isId(id, 2 * entries.length + 1024))
      bad(`the id of ${JSON.stringify(entry)}`, id, "an id");
    if (seen.has(id)) bad("two entries have one id", id, "distinct ids");
    seen.add(id);
  }
  return new Map(entries as [string, number][]);
}

/** Ids may have gaps (added tokens fill them), but not so many that a table by id is a trap. */
function isId(id: unknown, limit: number): id is number {
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id < limit;
}

function readAdded(added: unknown): AddedToken[] {
  if (added === undefined || added === null) return [];
  if (!Array.isArray(added)) bad("added_tokens", typeof added, "a list");
  return added.map((token: unknown) => {
    if (!isObject(token) || typeof token.content !== "string" || token.content === "")
      return bad("an added token", token, "an object with content and id");
    if (!isId(token.id, 1 << 24)) return bad("the id of an added token", token.id, "an id");
    for (const key of ["lstrip", "rstrip", "single_word"])
      if (token[key] === true) bad(`the added token ${token.content} sets ${key}`, true, false);
    return { id: token.id, content: token.content };
  });
}

function readBytes(vocab: ReadonlyMap<string, number>, added: AddedToken[]) {
  let size = 0;
  for (const id of vocab.values()) size = Math.max(size, id + 1);
  const limit = size + added.length + 65536;
  for (const { id } of added) {
    if (id >= limit) bad("the id of an added token", id, `below ${limit}`);
    size = Math.max(size, id + 1);
  }
  const bytes = new Array<Uint8Array | undefined>(size).fill(undefined);
  const special = new Set(added.map(({ content }) => content));
  for (const [entry, id] of vocab) {
    const found = special.has(entry) ? new TextEncoder().encode(entry) : entryBytes(entry);
    if (found === undefined)
      return bad("an entry has a letter outside the byte alphabet", entry, "byte letters");
    bytes[id] = found;
  }
  for (const { id, content } of added) bytes[id] = new TextEncoder().encode(content);
  return bytes;
}

function readMerges(merges: unknown, vocab: ReadonlyMap<string, number>, d_vocab: number) {
  if (!Array.isArray(merges)) return bad("model.merges is missing", typeof merges, "a list");
  const rank = new Map<number, number>();
  const merged = new Int32Array(merges.length);
  merges.forEach((merge: unknown, i) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2) bad(`merge ${i}`, merge, "two entries");
    const [left, right] = pair as [string, string];
    const ids = [left, right, `${left}${right}`].map((entry) => vocab.get(entry));
    if (ids.includes(undefined)) bad(`merge ${i}`, merge, "parts and result in the vocabulary");
    rank.set(ids[0]! * d_vocab + ids[1]!, i);
    merged[i] = ids[2]!;
  });
  return { rank, merged, d_vocab };
}

function readNormalizer(normalizer: unknown): "none" | "NFC" {
  if (normalizer === undefined || normalizer === null) return "none";
  if (isObject(normalizer) && normalizer.type === "NFC") return "NFC";
  return bad("its normalizer changes the text", normalizer, "none or NFC");
}

function readCut(pre: unknown): "gpt2" | "other" {
  const steps = isObject(pre) && pre.type === "Sequence" ? pre.pretokenizers : [pre];
  if (!Array.isArray(steps) || !steps.every(isObject))
    return bad("pre_tokenizer", pre, "ByteLevel");
  const last = steps.at(-1);
  if (last?.type !== "ByteLevel") return bad("its pre-tokenizer", last?.type, "ByteLevel");
  if (last.add_prefix_space === true) return bad("add_prefix_space", true, false);
  return steps.length === 1 && last.use_regex !== false ? "gpt2" : "other";
}
