// What a bench says: one JSON line a claim.

export interface BenchLine {
  claim: string;
  /** Our figure, and theirs in the same unit; null where there is none. */
  ours: number;
  peer: number | null;
  /** Above 1: ours is the better one. */
  ratio: number | null;
  /** What the ratio, or where there is no peer our own figure, is held against. */
  bar: number;
  /** Null: it could not be decided here, for want of a peer. */
  ok: boolean | null;
  /** Sizes, units, and what else changes the figure. */
  setting: string;
}

export function say(line: BenchLine): void {
  const round = (x: number | null): number | null => (x === null ? null : Number(x.toPrecision(4)));
  const { ours, peer, ratio } = line;
  const rounded = { ...line, ours: round(ours), peer: round(peer), ratio: round(ratio) };
  process.stdout.write(`${JSON.stringify(rounded)}\n`);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Sizes may be made smaller for a trial: STEPS=3 npm run bench -- engine. */
export function size(name: string, usual: number): number {
  return Number(process.env[name] ?? usual);
}
