// What does a generator hand over: stretches that carry its label, and stretches around them.
import type { Random } from "../../base/random.ts";

export interface Part {
  text: string;
  /** True for what surrounds the labelled stretches. */
  carrier?: true;
}

/** `english()` gives some hundred characters of English of the right split. */
export type Writer = (rng: Random, english: () => string) => Part[];

export const own = (text: string): Part => ({ text });
export const around = (text: string): Part => ({ text, carrier: true });

/** How many characters the next document has: 400 to 700. */
export const documentLength = (rng: Random): number => 400 + rng.int(301);

/** One document in five has its stretch embedded, as it is found in the wild. */
export const isEmbedded = (rng: Random): boolean => rng.uniform() < 0.2;

export function letters(rng: Random, alphabet: string, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += alphabet[rng.int(alphabet.length)]!;
  return text;
}

/** Lines of `width` characters. */
export function wrap(text: string, width: number): string {
  return text.match(new RegExp(`.{1,${width}}`, "gs"))?.join("\n") ?? "";
}

/** Fills a document with `piece()` after `piece()`, with `between` between them. */
export function fill(
  length: number,
  piece: () => readonly Part[],
  between: Part = own("\n"),
): Part[] {
  const parts: Part[] = [];
  let have = 0;
  while (have < length) {
    if (have > 0) parts.push(between);
    const next = piece();
    parts.push(...next);
    have += next.reduce((sum, { text }) => sum + text.length, between.text.length);
  }
  return parts;
}
