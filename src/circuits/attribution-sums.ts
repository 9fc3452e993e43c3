// What is the share of a layer, or of all attention? Parts of the same name added up, and their controls with them.
import type { Part, PartFigure } from "./attribution.ts";
import { drawnControl, type Figure, figure } from "./figure.ts";

export interface NamedFigure {
  readonly name: string;
  /** In logits, as in `attributionFigures`. */
  readonly logits: Figure;
}

/** In the order in which names first come; parts without a name are left out. */
export function attributionSums(
  figures: readonly PartFigure[],
  nameOf: (part: Part) => string | undefined,
): NamedFigure[] {
  const sums = new Map<string, { value: number; drawn: number[] }>();
  for (const { part, logits, drawn } of figures) {
    const name = nameOf(part);
    if (name === undefined) continue;
    const sum = sums.get(name) ?? { value: 0, drawn: drawn.map(() => 0) };
    sum.value += logits.value;
    for (const [i, x] of drawn.entries()) sum.drawn[i]! += x;
    sums.set(name, sum);
  }
  return Array.from(sums, ([name, { value, drawn }]) => ({
    name,
    logits: figure(value, ...(drawn.length === 0 ? [] : [drawnControl("random-tokens", drawn)])),
  }));
}
