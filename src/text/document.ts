// What is a text here: where it comes from, what it is an instance of, and for what it may be used.

export type Split = "grow" | "dictionary" | "select" | "eval";
export const splits: readonly Split[] = ["grow", "dictionary", "select", "eval"];

export interface Span {
  /** UTF-16 units, [start, end). */
  start: number;
  end: number;
  context: string;
}

export interface Document {
  /** Unique within a corpus and the same on every machine. */
  id: string;
  text: string;
  /** The label of the whole, and of every character that no span names. */
  context: string;
  source: "field-guide" | "generator" | "machine" | "file";
  split: Split;
  /** Ascending and disjoint; only where parts of the text are instances of something else. */
  spans?: readonly Span[];
}
