// What does a tokenizer.json do to a text before it is cut? Each step keeps the source of every unit.
// After the steps of Hugging Face's tokenizers (Apache-2.0), by name.
import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { fail } from "../base/errors.ts";
import { readCharsmap } from "./charsmap.ts";
import { refuse } from "./refuse.ts";
import {
  mapPoints,
  prepend,
  replaceMatches,
  type Spans,
  sliceSpans,
  spanBuilder,
} from "./spans.ts";

export type Step = (spans: Spans) => Spans;
type Json = Record<string, unknown>;
type SplitSettings = ConstructorParameters<typeof SplitPreTokenizer>[0];

const where = "tokenizer.json";

/** Refuses steps that it does not know with `text/tokenizer-json`. */
export function makeNormalizer(json: unknown): Step {
  if (json === null || json === undefined) return (spans) => spans;
  const step = json as Json;
  switch (step.type) {
    case "Sequence": {
      const steps = listOf(step.normalizers, "normalizers").map(makeNormalizer);
      return (spans) => steps.reduce((at, next) => next(at), spans);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = step.type;
      return (spans) => normalizeUnicode(spans, form);
    }
    case "Lowercase":
      // Per code point: no final sigma, as in the Rust library.
      return (spans) => mapPoints(spans, (point) => point.toLowerCase());
    case "StripAccents":
      return (spans) => mapPoints(spans, (point) => (/\p{M}/u.test(point) ? "" : point));
    case "Strip": {
      const left = step.strip_left !== false;
      const right = step.strip_right !== false;
      return (spans) => strip(spans, left, right);
    }
    case "Prepend": {
      const text = String(step.prepend);
      return (spans) => (spans.text === "" ? spans : prepend(spans, text));
    }
    case "Replace": {
      const pattern = patternOf(step.pattern);
      const content = String(step.content ?? "");
      return (spans) => replaceMatches(spans, pattern, content);
    }
    case "BertNormalizer":
      return bertNormalizer(step);
    case "Precompiled": {
      const change = readCharsmap(String(step.precompiled_charsmap ?? ""));
      return (spans) => mapGraphemes(spans, change);
    }
    default:
      return refuse("its normalizer has an unknown step", step.type, "a step that is known");
  }
}

export function listOf(value: unknown, name: string): unknown[] {
  return Array.isArray(value) ? value : refuse(name, typeof value, "a list");
}

/** A literal string, or a regular expression translated from Oniguruma by the library. */
export function patternOf(pattern: unknown): RegExp {
  const { String: literal, Regex: regex } = (pattern ?? {}) as { String?: string; Regex?: string };
  if (typeof literal === "string" && literal !== "")
    return new RegExp(literal.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "gu");
  if (typeof regex !== "string") return refuse("a pattern", pattern, "{String} or {Regex}");
  try {
    const made = new SplitPreTokenizer({
      type: "Split",
      pattern: { Regex: regex },
    } as SplitSettings);
    return (made as unknown as { pattern: RegExp }).pattern;
  } catch (cause) {
    return fail("text/tokenizer-json", "a pattern of this tokenizer.json cannot be used", {
      where,
      got: regex,
      cause,
    });
  }
}

/** Rust's `char::is_whitespace`. */
export const space = /\p{White_Space}/u;

function strip(spans: Spans, left: boolean, right: boolean): Spans {
  const { text } = spans;
  const start = left ? text.length - text.replace(/^\p{White_Space}+/u, "").length : 0;
  const end = right ? text.replace(/\p{White_Space}+$/u, "").length : text.length;
  return sliceSpans(spans, start, Math.max(start, end));
}

type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/**
 * A stretch at a time: it starts where a character cannot compose with what is before it. Where each
 * character of a stretch changes for itself it keeps its own source, else the stretch is the source.
 */
export function normalizeUnicode(spans: Spans, form: Form): Spans {
  const { text, from, to } = spans;
  if (text.normalize(form) === text) return spans;
  const out = spanBuilder(text.length);
  const finish = (start: number, end: number): void => {
    const stretch = text.slice(start, end);
    const made = stretch.normalize(form);
    if (made === stretch) out.copy(spans, start, end);
    else {
      const points = [...stretch].map((point) => ({ point, made: point.normalize(form) }));
      if (points.map((point) => point.made).join("") !== made)
        out.add(made, from[start]!, to[end - 1]!);
      else {
        let unit = start;
        for (const { point, made: own } of points) {
          out.add(own, from[unit]!, to[unit]!);
          unit += point.length;
        }
      }
    }
  };
  const compatible = form === "NFKC" || form === "NFKD" ? "NFKD" : "NFD";
  let start = 0;
  let i = 0;
  for (const point of text) {
    const joins = point > "\u02ff" && /^[\p{M}\u1160-\u11ff]/u.test(point.normalize(compatible));
    if (!joins && i > start) {
      finish(start, i);
      start = i;
    }
    i += point.length;
  }
  finish(start, i);
  return out.build();
}

function bertNormalizer(step: Json): Step {
  const lower = step.lowercase !== false;
  const accents = (step.strip_accents ?? lower) === true;
  const steps: Step[] = [];
  if (step.clean_text !== false) steps.push((spans) => mapPoints(spans, cleanPoint));
  if (step.handle_chinese_chars !== false) steps.push(spaceAroundHan);
  if (accents) {
    steps.push((spans) => normalizeUnicode(spans, "NFD"));
    steps.push((spans) => mapPoints(spans, (point) => (/\p{Mn}/u.test(point) ? "" : point)));
  }
  if (lower) steps.push((spans) => mapPoints(spans, (point) => point.toLowerCase()));
  return (spans) => steps.reduce((at, next) => next(at), spans);
}

function cleanPoint(point: string): string {
  if (point === "\t" || point === "\n" || point === "\r") return " ";
  if (point === "\0" || point === "\ufffd" || /[\p{Cc}\p{Cf}\p{Co}]/u.test(point)) return "";
  return space.test(point) ? " " : point;
}

/** The blocks that BERT names; a space on each side comes from no byte. */
const han =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;

function spaceAroundHan(spans: Spans): Spans {
  if (!han.test(spans.text)) return spans;
  const out = spanBuilder(spans.text.length);
  let i = 0;
  for (const point of spans.text) {
    const [start, end] = [spans.from[i]!, spans.to[i]!];
    if (han.test(point)) {
      out.add(" ", start, start);
      out.copy(spans, i, i + point.length);
      out.add(" ", end, end);
    } else out.copy(spans, i, i + point.length);
    i += point.length;
  }
  return out.build();
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** A grapheme of less than six bytes changes as a whole where the table knows it, else by character. */
function mapGraphemes(spans: Spans, change: (chunk: string) => string | undefined): Spans {
  const out = spanBuilder(spans.text.length);
  for (const { segment, index } of graphemes.segment(spans.text)) {
    const end = index + segment.length;
    const whole = new TextEncoder().encode(segment).length < 6 ? change(segment) : undefined;
    if (whole !== undefined) {
      out.add(whole, spans.from[index]!, spans.to[end - 1]!);
      continue;
    }
    let unit = index;
    for (const point of segment) {
      const made = change(point);
      if (made === undefined) out.copy(spans, unit, unit + point.length);
      else out.add(made, spans.from[unit]!, spans.to[unit]!);
      unit += point.length;
    }
  }
  return out.build();
}
