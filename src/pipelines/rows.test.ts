import { expect, test } from "vitest";
import { endContext, type TokenRows } from "../text/pack.ts";
import { beginRows, rowLength, textLength } from "./rows.ts";

const rows: TokenRows = {
  n_ctx: 3,
  rows: 2,
  tokens: Int32Array.of(5, 6, 0, 7, 8, 9),
  context: Uint16Array.of(0, 0, 1, 0, 0, 0),
  doc: Int32Array.of(0, 0, 0, 1, 1, 1),
  contexts: ["prose", endContext],
  documents: [
    { id: "a", context: "prose", source: "file" },
    { id: "b", context: "prose", source: "file" },
  ],
};
const policy = (before: number[]) => ({ policy: { before, after: [], source: "config" as const } });

test("every row begins with the policy's tokens, which belong to no context and to the next document", () => {
  const begun = beginRows(rows, policy([1]));
  expect(begun.n_ctx).toBe(4);
  expect([...begun.tokens]).toEqual([1, 5, 6, 0, 1, 7, 8, 9]);
  expect([...begun.context]).toEqual([1, 0, 0, 1, 1, 0, 0, 0]);
  expect([...begun.doc]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
});

test("where the policy has none, rows stay as they are", () => {
  expect(beginRows(rows, policy([]))).toBe(rows);
});

test("long contexts are read in shorter rows, short ones whole", () => {
  expect(rowLength({ n_ctx: 131_072 })).toBe(256);
  expect(rowLength({ n_ctx: 24 })).toBe(24);
  expect(textLength(24, policy([1, 2]))).toBe(22);
});
