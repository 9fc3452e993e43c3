// Which text does an entry of the vocabulary stand for, and how are they joined again?
import { WordPieceDecoder } from "@huggingface/tokenizers";
import { entryBytes } from "./byte-letters.ts";
import { refuse } from "./refuse.ts";

export interface Decoder {
  /** The bytes of an entry that is no added token. */
  bytes(entry: string): Uint8Array;
  /** Tokens as words with spaces between; undefined where the bytes are simply joined. */
  words?(entries: readonly string[]): string;
  /** Spaces that were put before the text, to be taken off again. */
  leading: number;
  /** A last space that is none: the end of the last word. */
  trailing: boolean;
}

type Json = Record<string, unknown>;

/** Steps as in Hugging Face's tokenizers, by name; an unknown one is refused. */
export function readDecoder(json: unknown, model: Json): Decoder {
  const steps = flatten(json);
  const utf8 = new TextEncoder();
  const suffix =
    typeof model.end_of_word_suffix === "string" ? model.end_of_word_suffix : undefined;
  let mark: string | undefined;
  let byteLevel = false;
  let byteFallback = false;
  let wordEnd: string | undefined;
  let leading = 0;
  let words: Decoder["words"];
  for (const step of steps)
    switch (step.type) {
      case "ByteLevel":
        byteLevel = true;
        wordEnd = suffix;
        break;
      case "ByteFallback":
        byteFallback = true;
        break;
      case "Fuse":
        break;
      case "Metaspace":
        mark = String(step.replacement ?? "\u2581");
        if ((step.prepend_scheme ?? "always") !== "never" && step.add_prefix_space !== false)
          leading = 1;
        break;
      case "Replace": {
        const literal = (step.pattern as { String?: string } | undefined)?.String;
        if (typeof literal !== "string" || step.content !== " ")
          refuse("its decoder replaces something else than spaces", step, "a mark by a space");
        mark = literal;
        break;
      }
      case "Strip":
        if (step.content !== " " || Number(step.stop ?? 0) !== 0)
          refuse("its decoder strips something else than spaces", step, "leading spaces");
        leading = Number(step.start ?? 0);
        break;
      case "WordPiece": {
        const library = new WordPieceDecoder({
          ...step,
          type: "WordPiece",
        } as ConstructorParameters<typeof WordPieceDecoder>[0]);
        words = (entries) => library.decode_chain([...entries]).join("");
        break;
      }
      case "BPEDecoder":
        wordEnd = String(step.suffix ?? "</w>");
        break;
      default:
        refuse("its decoder has an unknown step", step.type, "a step that is known");
    }
  if (steps.length === 0) words = (entries) => entries.join(" ");
  const prefix = String(model.continuing_subword_prefix ?? "");
  return {
    bytes(entry) {
      if (byteFallback && /^<0x[0-9A-Fa-f]{2}>$/.test(entry))
        return Uint8Array.of(Number.parseInt(entry.slice(3, 5), 16));
      const ends = wordEnd !== undefined && wordEnd !== "" && entry.endsWith(wordEnd);
      const bare = ends ? entry.slice(0, -wordEnd!.length) : entry;
      const letters = byteLevel ? entryBytes(bare) : undefined;
      if (letters !== undefined) return ends ? Uint8Array.of(...letters, 0x20) : letters;
      const spaced = mark === undefined ? bare : bare.replaceAll(mark, " ");
      const cut = words !== undefined && prefix !== "" && spaced.startsWith(prefix);
      return utf8.encode(`${cut ? spaced.slice(prefix.length) : spaced}${ends ? " " : ""}`);
    },
    words,
    leading,
    trailing: wordEnd !== undefined && wordEnd !== "",
  };
}

function flatten(json: unknown): Json[] {
  if (json === null || json === undefined) return [];
  const step = json as Json;
  if (step.type !== "Sequence") return [step];
  return Array.isArray(step.decoders) ? step.decoders.flatMap(flatten) : [];
}
