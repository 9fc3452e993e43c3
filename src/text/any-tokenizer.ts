// A tokenizer.json of any kind, step by step: added tokens, normalizer, cuts, words.
import { addedTokenFinders } from "./added-tokens.ts";
import { assemble } from "./assemble.ts";
import { makeCut } from "./cuts.ts";
import { sha256 } from "./hash.ts";
import { makeNormalizer } from "./normalizers.ts";
import { readPolicy, type TokenizerConfig } from "./specials.ts";
import { readTables, type Tables } from "./tokenizer-tables.ts";
import type { Tokenizer } from "./tokenizer-types.ts";

type Json = Record<string, unknown>;

/** From the parsed value of a tokenizer.json. */
export function readAnyTokenizer(
  json: Json,
  { config, ends }: { config?: TokenizerConfig; ends: readonly string[] },
): Tokenizer {
  const normalize = makeNormalizer(json.normalizer);
  const cut = makeCut(json.pre_tokenizer);
  const byteLevel = stepsOf(json.pre_tokenizer).some(({ type }) => type === "ByteLevel");
  const tables = readTables(json, byteLevel);
  const { plain, normalized } = addedTokenFinders(tables.added, normalize);
  const idOf = (name: string): number | undefined =>
    tables.added.find(({ content }) => content === name)?.id ?? tables.ids.get(name);
  return assemble({
    kind: tables.kind,
    lossless: isLossless(json, tables, byteLevel),
    hash: sha256(
      JSON.stringify([json.model, json.added_tokens, json.normalizer ?? null, json.pre_tokenizer]),
    ),
    entries: tables.entries,
    added: tables.added,
    decoder: tables.decoder,
    policy: readPolicy(json.post_processor, idOf, config),
    ends,
    walk(source, emit) {
      for (const { spans, id } of plain(source))
        if (id !== undefined) emit(id, spans.from[0]!, spans.to.at(-1)!);
        else
          for (const part of normalized(normalize(spans)))
            if (part.id !== undefined) emit(part.id, part.spans.from[0]!, part.spans.to.at(-1)!);
            else for (const word of cut(part.spans)) tables.model(word, emit);
    },
  });
}

/** A sequence and sequences within it, as one list. */
function stepsOf(json: unknown): Json[] {
  if (typeof json !== "object" || json === null) return [];
  const step = json as Json;
  const inner = step.pretokenizers ?? step.normalizers;
  return step.type === "Sequence" && Array.isArray(inner) ? inner.flatMap(stepsOf) : [step];
}

/**
 * Whether `decode(encode(text))` is `text` (for SentencePiece: one without U+2581, which is its mark
 * for a space). Told only of steps that are known to keep everything.
 */
function isLossless(json: Json, { kind, bytes, added, decoder }: Tables, byteLevel: boolean) {
  if (kind !== "bpe" || (bytes === undefined && !byteLevel) || decoder.words !== undefined)
    return false;
  if (added.some(({ lstrip, rstrip }) => lstrip || rstrip)) return false;
  let put = 0;
  for (const step of stepsOf(json.normalizer))
    if (step.type === "Prepend" && step.prepend === "\u2581") put += 1;
    else if (!(step.type === "Replace" && step.content === "\u2581")) return false;
  for (const step of stepsOf(json.pre_tokenizer))
    if (step.type === "Metaspace") {
      if (step.prepend_scheme !== "never") return false;
    } else if (step.type === "Split") {
      if (step.behavior === "Removed") return false;
    } else if (step.type !== "ByteLevel" && step.type !== "Digits") return false;
    else if (step.add_prefix_space === true) return false;
  return put === decoder.leading && !decoder.trailing;
}
