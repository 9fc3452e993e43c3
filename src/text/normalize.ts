// Which text is really encoded, and where does each of its characters come from?

export interface NormalizedText {
  text: string;
  /** Unit of the given text where the character at a unit of `text` starts; absent if the same. */
  start?: Int32Array;
  /** Unit of the given text where what ends at a unit of `text` ends. */
  end?: Int32Array;
}

/** UTF-8 cannot say a lone surrogate: each becomes U+FFFD, as in every UTF-8 encoder. */
export function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? text.replace(/\p{Surrogate}/gu, "\ufffd") : text;
}

/**
 * NFC, a stretch at a time: a character that cannot compose with the one before starts a stretch.
 * All units of a stretch that changed have the whole stretch as their source.
 */
export function normalizeNfc(text: string): NormalizedText {
  const whole = text.normalize("NFC");
  if (whole === text) return { text };
  const start = new Int32Array(whole.length + 1);
  const end = new Int32Array(whole.length + 1);
  let from = 0;
  let to = 0;
  for (const [stretch] of text.matchAll(/[^\p{M}\u1160-\u11ff]?[\p{M}\u1160-\u11ff]*/gu)) {
    const made = stretch.normalize("NFC");
    const same = made === stretch;
    for (let i = 0; i < made.length; i++) {
      start[to + i] = same ? from + i : from;
      end[to + i + 1] = same ? from + i + 1 : from + stretch.length;
    }
    from += stretch.length;
    to += made.length;
  }
  start[to] = from;
  return { text: whole, start, end };
}
