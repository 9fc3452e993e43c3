// A text on its way through a tokenizer: which bytes of the given text does each unit come from?
// The idea of Hugging Face's NormalizedString, kept per UTF-16 unit.

export interface Spans {
  readonly text: string;
  /** Per UTF-16 unit of `text`: the bytes [from, to) of the given text, in UTF-8. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** 1 where the character is the source's own, so that its bytes are the source's one by one. */
  readonly own: Uint8Array;
}

/** A well-formed text as its own source. */
export function spansOf(text: string): Spans {
  const from = new Int32Array(text.length);
  const to = new Int32Array(text.length);
  let byte = 0;
  for (let i = 0; i < text.length; ) {
    const point = text.codePointAt(i)!;
    const end = byte + utf8Length(point);
    const units = point > 0xffff ? 2 : 1;
    from.fill(byte, i, i + units);
    to.fill(end, i, i + units);
    i += units;
    byte = end;
  }
  return { text, from, to, own: new Uint8Array(text.length).fill(1) };
}

export function utf8Length(point: number): number {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

export function sliceSpans(spans: Spans, start: number, end: number): Spans {
  const { text, from, to, own } = spans;
  if (start === 0 && end === text.length) return spans;
  return {
    text: text.slice(start, end),
    from: from.subarray(start, end),
    to: to.subarray(start, end),
    own: own.subarray(start, end),
  };
}

export interface SpanBuilder {
  /** All units of `text` come from the bytes [from, to). */
  add(text: string, from: number, to: number): void;
  /** Units [start, end) of another text, unchanged. */
  copy(spans: Spans, start: number, end: number): void;
  build(): Spans;
}

export function spanBuilder(capacity: number): SpanBuilder {
  let from = new Int32Array(capacity + 8);
  let to = new Int32Array(capacity + 8);
  let own = new Uint8Array(capacity + 8);
  let n = 0;
  const parts: string[] = [];
  const room = (units: number): void => {
    if (n + units <= from.length) return;
    const larger = Math.max(n + units, 2 * from.length);
    const [oldFrom, oldTo, oldOwn] = [from, to, own];
    from = new Int32Array(larger);
    to = new Int32Array(larger);
    from.set(oldFrom);
    to.set(oldTo);
    own = new Uint8Array(larger);
    own.set(oldOwn);
  };
  return {
    add(text, start, end) {
      room(text.length);
      parts.push(text);
      from.fill(start, n, n + text.length);
      to.fill(end, n, n + text.length);
      n += text.length;
    },
    copy(spans, start, end) {
      room(end - start);
      parts.push(spans.text.slice(start, end));
      from.set(spans.from.subarray(start, end), n);
      to.set(spans.to.subarray(start, end), n);
      own.set(spans.own.subarray(start, end), n);
      n += end - start;
    },
    build: () => ({
      text: parts.join(""),
      from: from.subarray(0, n),
      to: to.subarray(0, n),
      own: own.subarray(0, n),
    }),
  };
}

/** Each code point becomes what `change` says: "" removes it. */
export function mapPoints(spans: Spans, change: (point: string) => string): Spans {
  const out = spanBuilder(spans.text.length);
  let kept = 0;
  let i = 0;
  for (const point of spans.text) {
    const made = change(point);
    if (made !== point) {
      if (kept < i) out.copy(spans, kept, i);
      if (made !== "") out.add(made, spans.from[i]!, spans.to[i]!);
      kept = i + point.length;
    }
    i += point.length;
  }
  if (kept === 0) return spans;
  if (kept < i) out.copy(spans, kept, i);
  return out.build();
}

/** Puts `text` before everything: it comes from no byte. */
export function prepend(spans: Spans, text: string): Spans {
  const at = spans.from[0] ?? 0;
  const out = spanBuilder(spans.text.length + text.length);
  out.add(text, at, at);
  out.copy(spans, 0, spans.text.length);
  return out.build();
}

/**
 * Every match becomes `content`. Where both have as many code points, each comes from its own; else
 * all of it from the whole match.
 */
export function replaceMatches(spans: Spans, pattern: RegExp, content: string): Spans {
  const out = spanBuilder(spans.text.length);
  const made = [...content];
  let at = 0;
  let found = false;
  for (const match of spans.text.matchAll(pattern)) {
    found = true;
    const start = match.index;
    const end = start + match[0].length;
    out.copy(spans, at, start);
    const points = [...match[0]];
    if (points.length === made.length) {
      let unit = start;
      points.forEach((point, i) => {
        out.add(made[i]!, spans.from[unit]!, spans.to[unit]!);
        unit += point.length;
      });
    } else if (end > start) out.add(content, spans.from[start]!, spans.to[end - 1]!);
    else out.add(content, startByte(spans, start), startByte(spans, start));
    at = end;
  }
  if (!found) return spans;
  out.copy(spans, at, spans.text.length);
  return out.build();
}

function startByte({ from, to }: Spans, unit: number): number {
  return from[unit] ?? to[unit - 1] ?? 0;
}

/** For bytes of a text: the unit of the character that they lie in, its first and its last + 1. */
export function unitsOfBytes(text: string): { floor: Int32Array; ceil: Int32Array } {
  const { from, to } = spansOf(text);
  const length = to.at(-1) ?? 0;
  const floor = new Int32Array(length + 1).fill(text.length);
  const ceil = new Int32Array(length + 1);
  for (let i = 0; i < text.length; i++) {
    const first = i > 0 && from[i - 1] === from[i] ? i - 1 : i; // a low surrogate's pair
    floor.fill(first, from[i]!, to[i]!);
    ceil[from[i]!] = first;
    ceil.fill(i + 1, from[i]! + 1, to[i]! + 1);
  }
  return { floor, ceil };
}
