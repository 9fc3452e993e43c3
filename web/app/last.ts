// Where was the reader last in each place, so that one can go back out and to the sibling?
interface LastList {
  dictionary: string;
  search: Record<string, string>;
  /** Feature numbers in the list's order, as far as they were seen. */
  order: number[];
}

let list: LastList | null = null;
const features = new Map<string, number>();

export function keepList(next: LastList): void {
  list = next;
}

export function lastListOf(dictionary: string): LastList | null {
  return list?.dictionary === dictionary ? list : null;
}

export function keepFeature(dictionary: string, index: number): void {
  features.set(dictionary, index);
}

export function lastFeatureOf(dictionary: string): number | null {
  return features.get(dictionary) ?? null;
}

/** The next in the list's order; by number where the list does not know it. */
export function sibling(dictionary: string, index: number, step: 1 | -1, d_sae: number): number {
  const order = lastListOf(dictionary)?.order ?? [];
  const at = order.indexOf(index);
  const next = at >= 0 ? order[at + step] : undefined;
  return next ?? (at >= 0 ? index : Math.min(d_sae - 1, Math.max(0, index + step)));
}
