// The parts of a tokenizer that are the same for every kind: offsets, decoding, display.
import { check, fail } from "../base/errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import type { Decoder } from "./decoders.ts";
import { wellFormed } from "./normalize.ts";
import { tokenPiece } from "./piece.ts";
import { type Spans, spansOf, unitsOfBytes } from "./spans.ts";
import type { SpecialPolicy } from "./specials.ts";
import type { Tokenizer } from "./tokenizer-types.ts";
import type { Emit } from "./word-models.ts";

export interface TokenizerParts {
  kind: Tokenizer["kind"];
  lossless: boolean;
  hash: string;
  /** Entry by id; undefined where the ids have a gap. */
  entries: readonly (string | undefined)[];
  added: readonly AddedToken[];
  decoder: Decoder;
  policy: SpecialPolicy;
  /** Names of the end-of-text token, the best first. */
  ends: readonly string[];
  /** Every token of a text in order, with the bytes that it comes from. */
  walk: (source: Spans, emit: Emit) => void;
}

export function assemble(parts: TokenizerParts): Tokenizer {
  const { entries, added, decoder, policy, walk } = parts;
  const content = new Map(added.map((token) => [token.id, token]));
  const ids = new Map<string, number>();
  entries.forEach((entry, id) => {
    if (entry !== undefined && !ids.has(entry)) ids.set(entry, id);
  });
  const idOf = (name: string): number | undefined => ids.get(name);
  const eot = parts.ends.map(idOf).find((id) => id !== undefined);
  check(eot !== undefined, "text/tokenizer-json", "the vocabulary has no end-of-text token", {
    where: "tokenizer.json",
    wanted: parts.ends,
    hint: "name it with the option eot",
  });
  const entryOf = (id: number): string =>
    entries[id] ??
    fail("text/token-id", "no token has this id", {
      got: id,
      wanted: `0 to ${entries.length - 1}`,
    });
  const memo = new Map<number, Uint8Array>();
  const utf8 = new TextEncoder();
  const tokenBytes = (id: number): Uint8Array => {
    const known = memo.get(id);
    if (known !== undefined) return known;
    const entry = entryOf(id);
    const bytes = content.has(id) ? utf8.encode(entry) : decoder.bytes(entry);
    memo.set(id, bytes);
    return bytes;
  };
  const specialName = (id: number): string | undefined => {
    const token = content.get(id);
    return token?.special ? token.content : undefined;
  };

  return {
    kind: parts.kind,
    lossless: parts.lossless,
    policy,
    d_vocab: entries.length,
    eot,
    hash: parts.hash,
    idOf,
    encode(text, { special = false } = {}) {
      const out: number[] = special ? [...policy.before] : [];
      walk(spansOf(wellFormed(text)), (id) => out.push(id));
      if (special) out.push(...policy.after);
      return Int32Array.from(out);
    },
    encodeWithOffsets(text, { special = false } = {}) {
      const whole = wellFormed(text);
      const source = spansOf(whole);
      const { floor, ceil } = unitsOfBytes(whole);
      const out: number[] = [];
      const bytes: number[] = [];
      const chars: number[] = [];
      const emit: Emit = (id, from, to) => {
        out.push(id);
        bytes.push(from, to);
        chars.push(floor[from]!, from === to ? floor[from]! : ceil[to]!);
      };
      if (special) for (const id of policy.before) emit(id, 0, 0);
      walk(source, emit);
      const end = floor.length - 1;
      if (special) for (const id of policy.after) emit(id, end, end);
      return {
        ids: Int32Array.from(out),
        chars: Int32Array.from(chars),
        bytes: Int32Array.from(bytes),
      };
    },
    decode(list, { special = true } = {}) {
      const kept = Array.from(list).filter((id) => special || specialName(id) === undefined);
      if (decoder.words !== undefined) return decoder.words(kept.map(entryOf));
      let text = joinBytes(kept.map(tokenBytes));
      for (let i = 0; i < decoder.leading && text.startsWith(" "); i++) text = text.slice(1);
      return decoder.trailing && text.endsWith(" ") ? text.slice(0, -1) : text;
    },
    pieces: (list) => Array.from(list, (id) => tokenPiece(tokenBytes(id), specialName(id))),
    tokenBytes: (id) => tokenBytes(id).slice(),
  };
}

function joinBytes(parts: readonly Uint8Array[]): string {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(all);
}
