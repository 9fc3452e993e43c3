// Where does a long text come apart? At a paragraph, else a line, a sentence, a space.

export interface PieceLength {
  /** Characters: cuts fall between these two. */
  min: number;
  max: number;
}

/** Pieces of at most `max` characters, trimmed; nothing but white space is dropped. */
export function* pieces(text: string, { min, max }: PieceLength): Generator<string> {
  let at = 0;
  while (at < text.length) {
    const left = text.length - at;
    // Two halves rather than a whole and a crumb.
    const most = left > max && left < max + min ? Math.ceil(left / 2) + 80 : max;
    const end = left <= max ? text.length : cut(text, at, Math.min(min, most), Math.min(most, max));
    const piece = text.slice(at, end).replace(/^\s*\n|\s+$/g, "");
    if (piece !== "") yield piece;
    at = end;
  }
}

const borders = [/\n[^\S\n]*\n/g, /\n/g, /[.!?…]["”»)]?\s|[。！？।॥؟]/g, /\s/g];

function cut(text: string, at: number, min: number, max: number): number {
  const stretch = text.slice(at, at + max);
  for (const border of borders) {
    let last = -1;
    for (const match of stretch.matchAll(border))
      if (match.index + match[0].length >= min) last = match.index + match[0].length;
    if (last > 0) return at + last;
  }
  // Never between the halves of a surrogate pair, nor before a mark that belongs to its letter.
  let end = at + max;
  while (end > at + 1 && (isLow(text.charCodeAt(end)) || /^\p{M}/u.test(text.slice(end, end + 1))))
    end -= 1;
  return end > at + 1 ? end : at + max;
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
