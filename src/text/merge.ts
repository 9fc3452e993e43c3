// Into which tokens do the merge rules turn one word?

/** Merge rules by pair of ids: lowest rank first, leftmost first (Sennrich 2016). */
export interface MergeTable {
  /** left * d_vocab + right → rank */
  readonly rank: ReadonlyMap<number, number>;
  /** rank → id of the merged token */
  readonly merged: Int32Array;
  /** Where pairs of one rank make different tokens: pair → id of the merged token. */
  readonly pairs?: ReadonlyMap<number, number>;
  readonly d_vocab: number;
}

/** Merges `ids[0..n)` in place and returns the new length. */
export function mergeWord(table: MergeTable, ids: Int32Array, n: number): number {
  return n <= 96 ? mergeShort(table, ids, n) : mergeLong(table, ids, n);
}

/** Quadratic, without allocation: right for words. */
function mergeShort(
  { rank, merged, pairs, d_vocab }: MergeTable,
  ids: Int32Array,
  n: number,
): number {
  while (n > 1) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < n; i++) {
      const found = rank.get(ids[i]! * d_vocab + ids[i + 1]!);
      if (found !== undefined && found < best) {
        best = found;
        at = i;
      }
    }
    if (at < 0) return n;
    ids[at] = pairs?.get(ids[at]! * d_vocab + ids[at + 1]!) ?? merged[best]!;
    ids.copyWithin(at + 1, at + 2, n);
    n -= 1;
  }
  return n;
}

/** A linked list and a heap of (rank, position): n log n, for a megabyte without a space. */
function mergeLong(
  { rank, merged, pairs, d_vocab }: MergeTable,
  ids: Int32Array,
  n: number,
): number {
  const next = new Int32Array(n);
  const previous = new Int32Array(n);
  const heap: number[] = []; // rank * n + position: exact below 2^53
  const offer = (at: number): void => {
    const to = next[at]!;
    if (to >= n) return;
    const found = rank.get(ids[at]! * d_vocab + ids[to]!);
    if (found !== undefined) heapPush(heap, found * n + at);
  };
  for (let i = 0; i < n; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (let i = 0; i < n; i++) offer(i);
  while (heap.length > 0) {
    const entry = heapPop(heap);
    const at = entry % n;
    const to = next[at]!;
    // Stale entries: the left part was merged away (next = -1) or a part has changed since.
    if (to < 0 || to >= n) continue;
    const found = rank.get(ids[at]! * d_vocab + ids[to]!);
    if (found !== (entry - at) / n) continue;
    ids[at] = pairs?.get(ids[at]! * d_vocab + ids[to]!) ?? merged[found]!;
    const after = next[to]!;
    next[at] = after;
    next[to] = -1;
    if (after < n) previous[after] = at;
    if (previous[at]! >= 0) offer(previous[at]!);
    offer(at);
  }
  let length = 0;
  for (let i = 0; i < n; i = next[i]!) ids[length++] = ids[i]!;
  return length;
}

function heapPush(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const up = (i - 1) >> 1;
    if (heap[up]! <= value) break;
    heap[i] = heap[up]!;
    i = up;
  }
  heap[i] = value;
}

function heapPop(heap: number[]): number {
  const top = heap[0]!;
  const value = heap.pop()!;
  const n = heap.length;
  if (n === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child += 1;
    if (heap[child]! >= value) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = value;
  return top;
}
