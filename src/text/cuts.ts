// Into which words does a tokenizer.json cut a text? Each keeps the source of every unit.
// After the pre-tokenizers of Hugging Face's tokenizers (Apache-2.0), by name.
import { byteLetters } from "./byte-letters.ts";
import { listOf, patternOf } from "./normalizers.ts";
import { gpt2Pattern } from "./pretokenize.ts";
import { refuse } from "./refuse.ts";
import { prepend, replaceMatches, type Spans, sliceSpans, spanBuilder } from "./spans.ts";

export type Cut = (word: Spans) => Spans[];
type Json = Record<string, unknown>;
type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

const punctuation = /[\p{P}!-/:-@[-`{-~]/gu;
const whiteSpace = /\p{White_Space}/gu;

export function makeCut(json: unknown): Cut {
  if (json === null || json === undefined) return (word) => [word];
  const step = json as Json;
  switch (step.type) {
    case "Sequence": {
      const cuts = listOf(step.pretokenizers, "pretokenizers").map(makeCut);
      return (word) => cuts.reduce<Spans[]>((words, cut) => words.flatMap(cut), [word]);
    }
    case "Whitespace":
      return splitter(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        "Removed",
        true,
      );
    case "WhitespaceSplit":
      return splitter(whiteSpace, "Removed");
    case "BertPreTokenizer": {
      const words = splitter(whiteSpace, "Removed");
      const marks = splitter(punctuation, "Isolated");
      return (word) => words(word).flatMap(marks);
    }
    case "Punctuation":
      return splitter(punctuation, behaviorOf(step.behavior ?? "Isolated"));
    case "Digits":
      return splitter(/\p{N}/gu, step.individual_digits === true ? "Isolated" : "Contiguous");
    case "CharDelimiterSplit":
      return splitter(patternOf({ String: step.delimiter }), "Removed");
    case "Split":
      return splitter(patternOf(step.pattern), behaviorOf(step.behavior), step.invert === true);
    case "Metaspace":
      return metaspace(step);
    case "ByteLevel":
      return byteLevel(step);
    default:
      return refuse("its pre-tokenizer has an unknown step", step.type, "a step that is known");
  }
}

function behaviorOf(value: unknown): Behavior {
  const known = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
  if (!known.includes(String(value))) refuse("a behavior", value, known.join(", "));
  return value as Behavior;
}

/** `invert`: what does not match is the separator. */
function splitter(pattern: RegExp, behavior: Behavior, invert = false): Cut {
  return (word) => {
    const parts: { start: number; end: number; match: boolean }[] = [];
    let at = 0;
    for (const found of word.text.matchAll(pattern)) {
      const end = found.index + found[0].length;
      if (end === found.index) continue;
      if (found.index > at) parts.push({ start: at, end: found.index, match: invert });
      parts.push({ start: found.index, end, match: !invert });
      at = end;
    }
    if (at < word.text.length) parts.push({ start: at, end: word.text.length, match: invert });
    return joined(parts, behavior).map(({ start, end }) => sliceSpans(word, start, end));
  };
}

type Part = { start: number; end: number; match: boolean };

function joined(parts: Part[], behavior: Behavior): { start: number; end: number }[] {
  if (behavior === "Removed") return parts.filter(({ match }) => !match);
  if (behavior === "Isolated") return parts;
  const out: { start: number; end: number }[] = [];
  let previous = false;
  const backwards = behavior === "MergedWithNext";
  for (const part of backwards ? parts.reverse() : parts) {
    const last = out.at(-1);
    const joins = behavior === "Contiguous" ? part.match === previous : part.match && !previous;
    if (joins && last !== undefined) {
      if (backwards) last.start = part.start;
      else last.end = part.end;
    } else out.push({ start: part.start, end: part.end });
    previous = part.match;
  }
  return backwards ? out.reverse() : out;
}

/** SentencePiece's marks for spaces, one in front as well. */
function metaspace(step: Json): Cut {
  const mark = String(step.replacement ?? "\u2581");
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? "never" : "always");
  const split =
    step.split === false ? undefined : splitter(patternOf({ String: mark }), "MergedWithNext");
  return (word) => {
    let marked = replaceMatches(word, / /g, mark);
    const first = scheme === "always" || (scheme === "first" && word.from[0] === 0);
    if (first && marked.text !== "" && !marked.text.startsWith(mark))
      marked = prepend(marked, mark);
    return split === undefined ? [marked] : split(marked);
  };
}

function byteLevel(step: Json): Cut {
  const words = step.use_regex === false ? undefined : splitter(gpt2Pattern, "Isolated");
  const spaced = step.add_prefix_space === true;
  return (word) => {
    const whole =
      spaced && !word.text.startsWith(" ") && word.text !== "" ? prepend(word, " ") : word;
    return (words === undefined ? [whole] : words(whole)).map(toLetters);
  };
}

const utf8 = new TextEncoder();

/** A letter a byte; it knows its own byte where the character has not changed its length. */
export function toLetters(word: Spans): Spans {
  const out = spanBuilder(2 * word.text.length);
  let unit = 0;
  for (const point of word.text) {
    const bytes = utf8.encode(point);
    const [from, to] = [word.from[unit]!, word.to[unit]!];
    const exact = word.own[unit] === 1;
    bytes.forEach((byte, i) => {
      if (exact) out.add(byteLetters[byte]!, from + i, from + i + 1);
      else out.add(byteLetters[byte]!, from, to);
    });
    unit += point.length;
  }
  return out.build();
}
