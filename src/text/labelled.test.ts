import { expect, test } from "vitest";
import { parseLabelled } from "./labelled.ts";

const line = (row: object): string => JSON.stringify(row);
const parse = (...rows: (object | string)[]) =>
  parseLabelled(rows.map((row) => (typeof row === "string" ? row : line(row))).join("\n"), {
    where: "a.jsonl",
  });

test("each label's texts are dealt in halves, a text that comes twice to one of them", () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    text: `text ${i % 36}`,
    label: i % 36 < 24 ? "a" : "b",
  }));
  const documents = parse(...rows);
  expect(parse(...rows)).toEqual(documents);
  const splits = new Map(documents.map(({ text, split }) => [text, split]));
  for (const { text, split } of documents) expect(split).toBe(splits.get(text));
  for (const [label, half] of [
    ["a", 12],
    ["b", 6],
  ] as const) {
    const own = new Set(documents.filter(({ context }) => context === label).map((d) => d.text));
    expect([...own].filter((text) => splits.get(text) === "select")).toHaveLength(half);
  }
});

test("a split that is given is kept, and so are spans", () => {
  const spans = [{ start: 0, end: 2, label: "x" }];
  const [first, second] = parse({ text: "abc", label: "a", split: "eval", spans }, "", {
    text: "abc",
    label: "a",
  });
  expect(first).toMatchObject({ id: "a.jsonl:1", split: "eval", context: "a", source: "file" });
  expect(first!.spans).toEqual([{ start: 0, end: 2, context: "x" }]);
  expect(second).toMatchObject({ split: "eval", spans: [] });
});

test.each([
  ["no JSON", ["{"]],
  ["another shape", [{ text: "a", tag: "b" }]],
  ["a text without letters", [{ text: "", label: "b" }]],
  [
    "a span beyond its text",
    [{ text: "ab", label: "b", spans: [{ start: 1, end: 3, label: "c" }] }],
  ],
  [
    "spans that overlap",
    [
      {
        text: "abcd",
        label: "b",
        spans: [
          { start: 0, end: 2, label: "c" },
          { start: 1, end: 3, label: "c" },
        ],
      },
    ],
  ],
  ["the separator's name", [{ text: "a", label: "end-of-text" }]],
])("%s is refused, with its line", (_, rows) => {
  const good = { text: "good", label: "a" };
  expect(() => parse(good, ...rows)).toThrow(
    expect.objectContaining({ code: "text/labels", where: expect.stringMatching(/line 2$/) }),
  );
});

test("a text that is given to both splits is refused", () => {
  const row = { text: "abc", label: "a" };
  expect(() => parse({ ...row, split: "eval" }, { ...row, split: "select" })).toThrow(
    expect.objectContaining({ code: "text/labels", where: "a.jsonl:2" }),
  );
});
