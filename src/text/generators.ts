// Texts with known labels and without an end: which kinds are there, and what is the i-th of one?
import { check } from "../base/errors.ts";
import { type Random, resumeRandom } from "../base/random.ts";
import type { Document, Span, Split } from "./document.ts";
import { base64Digits, base64English, base64Random, hexadecimal } from "./generators/encoded.ts";
import { englishSource } from "./generators/english.ts";
import { dna, phone, uuid } from "./generators/identifiers.ts";
import type { Part, Writer } from "./generators/part.ts";
import { json, log } from "./generators/records.ts";
import { sha256 } from "./hash.ts";

/** Label of what surrounds an embedded stretch: a key, a header, a sentence. */
export const carrier = "carrier";

const writers: Readonly<Record<string, Writer>> = {
  "base64-random": base64Random,
  "base64-english": base64English,
  "base64-digits": base64Digits,
  hexadecimal,
  dna,
  uuid,
  phone,
  log,
  json,
};

export const generatorContexts: readonly string[] = Object.keys(writers);

export interface Generators {
  readonly contexts: readonly string[];
  /** The i-th document of a kind in a split: the same for the same seed, on every machine. */
  make(context: string, split: Split, index: number): Document;
  /** Documents [from, from + count). */
  take(context: string, split: Split, count: number, from?: number): Document[];
}

/**
 * `texts` supplies English for `base64-english`: of each split only its own documents are used, and
 * a small grammar makes the other half. No document of one split is a document of another: each
 * draws from a stream of 96 bits named by seed, split, kind and index.
 */
export function generators({
  seed,
  texts = [],
}: {
  seed: number;
  texts?: readonly Document[];
}): Generators {
  const english = englishSource(texts);
  const make = (context: string, split: Split, index: number): Document => {
    const writer = writers[context];
    check(writer !== undefined, "text/generator", "no generator has this name", {
      got: context,
      wanted: generatorContexts.join(", "),
    });
    const id = `generator/${context}/${split}/${seed}/${index}`;
    const rng = streamNamed(id);
    const parts = writer(rng, () => english(split, rng));
    return { id, context, source: "generator", split, ...assemble(parts) };
  };
  return {
    contexts: generatorContexts,
    make,
    take: (context, split, count, from = 0) =>
      Array.from({ length: count }, (_, i) => make(context, split, from + i)),
  };
}

/** 32 bits of seed would repeat among a hundred thousand documents; these are 96. */
function streamNamed(name: string): Random {
  const word = (at: number): number => Number.parseInt(hash.slice(8 * at, 8 * at + 8), 16);
  const hash = sha256(name);
  const rng = resumeRandom({ seed: word(3), words: [word(0), word(1), word(2), 1], spare: null });
  for (let i = 0; i < 12; i++) rng.uniform();
  return rng;
}

function assemble(parts: readonly Part[]): { text: string; spans?: Span[] } {
  let text = "";
  const spans: Span[] = [];
  for (const part of parts) {
    if (part.carrier) {
      const last = spans.at(-1);
      const end = text.length + part.text.length;
      if (last?.end === text.length) last.end = end;
      else spans.push({ start: text.length, end, context: carrier });
    }
    text += part.text;
  }
  return spans.length > 0 ? { text, spans } : { text };
}
