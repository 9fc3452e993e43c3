// Which stretches stand in more than one document?
import type { Document } from "./document.ts";

export interface Duplicate {
  /** Ids of the two documents; the first is the earlier one in the corpus. */
  a: string;
  b: string;
  /** The whole common stretch, white space made single spaces. */
  text: string;
}

/** All common stretches of at least `min` characters, the longest first. */
export function findDuplicates(documents: readonly Document[], min: number): Duplicate[] {
  const texts = documents.map(({ text }) => text.replace(/\s+/g, " ").trim());
  const first = new Map<string, { doc: number; at: number }[]>();
  const found: Duplicate[] = [];
  texts.forEach((text, doc) => {
    /** Where the stretch in each other document ends here: later windows in it are no news. */
    const covered = new Map<number, number>();
    for (let at = 0; at + min <= text.length; at++) {
      const window = text.slice(at, at + min);
      const places = first.get(window);
      if (places === undefined) {
        first.set(window, [{ doc, at }]);
        continue;
      }
      for (const place of places) {
        if (place.doc === doc || (covered.get(place.doc) ?? 0) > at) continue;
        const other = texts[place.doc]!;
        let length = min;
        while (at + length < text.length && text[at + length] === other[place.at + length])
          length++;
        covered.set(place.doc, at + length - min + 1);
        const [a, b] = [documents[place.doc]!.id, documents[doc]!.id];
        found.push({ a, b, text: text.slice(at, at + length) });
      }
      if (places.at(-1)!.doc !== doc && places.length < 8) places.push({ doc, at });
    }
  });
  return found.sort((x, y) => y.text.length - x.text.length || (x.a < y.a ? -1 : 1));
}
