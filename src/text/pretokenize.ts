// Where does GPT-2 cut a text before merging? Merges never cross these borders.

/**
 * GPT-2's pattern, with Unicode's White_Space for `\s` as the Rust library reads it (JavaScript's own
 * `\s` counts U+FEFF and misses U+0085). The scanner below is the same in linear time, without the
 * backtracking that a megabyte of one letter would cost.
 */
export const gpt2Pattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const other = 1;
const letter = 2;
const number = 3;
const space = 4;

/** Class by code point, filled as code points are met; 0 = not met yet. */
const classes = new Uint8Array(0x110000);

function classOf(codePoint: number): number {
  const known = classes[codePoint]!;
  if (known !== 0) return known;
  const text = String.fromCodePoint(codePoint);
  const found = /\p{L}/u.test(text)
    ? letter
    : /\p{N}/u.test(text)
      ? number
      : /\p{White_Space}/u.test(text)
        ? space
        : other;
  classes[codePoint] = found;
  return found;
}

/** Calls `visit(start, end)` for every piece, in order; the pieces cover the text. */
export function eachWord(text: string, visit: (start: number, end: number) => void): void {
  const n = text.length;
  let at = 0;
  while (at < n) {
    const end = wordEnd(text, at, n);
    visit(at, end);
    at = end;
  }
}

/** The pieces as strings. */
export function pretokenize(text: string): string[] {
  const words: string[] = [];
  eachWord(text, (start, end) => words.push(text.slice(start, end)));
  return words;
}

function wordEnd(text: string, at: number, n: number): number {
  const first = text.charCodeAt(at);
  if (first === 0x27) {
    const length = contraction(text, at);
    if (length > 0) return at + length;
  }
  let from = at;
  let kind = classOf(codePointAt(text, at));
  if (first === 0x20 && at + 1 < n) {
    const next = classOf(codePointAt(text, at + 1));
    if (next !== space) {
      from = at + 1;
      kind = next;
    }
  }
  let end = from;
  while (end < n) {
    const codePoint = codePointAt(text, end);
    if (classOf(codePoint) !== kind) break;
    end += codePoint > 0xffff ? 2 : 1;
  }
  // A run of white space leaves its last character to the word that follows.
  return kind === space && end < n && end - at > 1 ? end - 1 : end;
}

function codePointAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit < 0xd800 || unit > 0xdbff ? unit : text.codePointAt(at)!;
}

function contraction(text: string, at: number): number {
  const next = text[at + 1];
  if (next === "s" || next === "t" || next === "m" || next === "d") return 2;
  const two = text.slice(at + 1, at + 3);
  return two === "re" || two === "ve" || two === "ll" ? 3 : 0;
}
