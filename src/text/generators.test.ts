import { describe, expect, test } from "vitest";
import { splits } from "./document.ts";
import { generatorContexts, generators } from "./generators.ts";

const made = generators({ seed: 7 });

/** The labelled stretches: what no carrier covers. */
function labelled({
  text,
  spans = [],
}: {
  text: string;
  spans?: readonly { start: number; end: number }[];
}) {
  const parts: string[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    parts.push(text.slice(from, start));
    from = end;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== "");
}

describe.each(generatorContexts)("%s", (context) => {
  const documents = splits.flatMap((split) => made.take(context, split, 150));

  test("is the same for the same seed and index, another for another", () => {
    expect(generators({ seed: 7 }).make(context, "eval", 41)).toEqual(
      made.make(context, "eval", 41),
    );
    expect(generators({ seed: 8 }).make(context, "eval", 41).text).not.toBe(
      made.make(context, "eval", 41).text,
    );
  });

  test("repeats no document within and across splits", () => {
    expect(new Set(documents.map(({ text }) => text)).size).toBe(documents.length);
    expect(new Set(documents.map(({ id }) => id)).size).toBe(documents.length);
  });

  test("makes 400 to 1,000 characters, most of them its own", () => {
    for (const document of documents) {
      expect(document.text.length).toBeGreaterThanOrEqual(400);
      expect(document.text.length).toBeLessThanOrEqual(1000);
      const own = labelled(document).join("").length;
      expect(own / document.text.length).toBeGreaterThan(0.45);
    }
  });

  test("embeds at most a quarter of its documents", () => {
    const embedded = documents.filter(({ spans }) => spans !== undefined).length;
    expect(embedded / documents.length).toBeLessThan(0.27);
  });
});

test("labelled stretches are what they are called", () => {
  const all = (context: string): string[] => made.take(context, "grow", 200).flatMap(labelled);
  for (const stretch of all("base64-english"))
    expect(Buffer.from(stretch, "base64").toString("latin1")).toMatch(/^[ -~]+$/);
  for (const stretch of all("base64-digits"))
    expect(Buffer.from(stretch, "base64").toString("latin1")).toMatch(/^[0-9]+$/);
  for (const stretch of all("base64-random")) {
    const bytes = Buffer.from(stretch, "base64");
    const clean = stretch.replaceAll("\n", "");
    expect(bytes.toString("base64")).toBe(clean);
    expect(new Set(bytes).size).toBeGreaterThan(40);
  }
  for (const stretch of all("hexadecimal")) expect(stretch).toMatch(/^[0-9a-f\s]+$|^[0-9A-F\s]+$/);
  for (const stretch of all("dna")) expect(stretch).toMatch(/^[ACGT\n]+$|^[acgt\n]+$/);
  for (const stretch of all("uuid"))
    for (const one of stretch.split(/\n|, | /))
      expect(one).toMatch(
        /^$|^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i,
      );
  for (const { text } of made.take("json", "grow", 60))
    for (const line of text.startsWith("[") ? [text] : text.split("\n"))
      expect(() => JSON.parse(line)).not.toThrow();
});

test("base64 of English draws on texts of its own split only", () => {
  const text = (split: string): string => `only ${split} `.repeat(90);
  const texts = splits.map((split) => ({
    id: split,
    text: text(split),
    context: "prose",
    source: "field-guide" as const,
    split,
  }));
  const with_ = generators({ seed: 1, texts });
  for (const split of splits) {
    const decoded = with_
      .take("base64-english", split, 60)
      .flatMap(labelled)
      .map((stretch) => Buffer.from(stretch, "base64").toString())
      .join("\n");
    for (const other of splits) expect(decoded.includes(`only ${other}`)).toBe(other === split);
  }
});

test("an unknown generator is refused", () => {
  expect(() => made.make("morse", "grow", 0)).toThrow(/no generator/);
});
