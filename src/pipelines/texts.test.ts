// What is trained on and what is judged on never meet.
import { expect, test } from "vitest";
import { fieldGuideFolder, readFieldGuide } from "../text/field-guide.ts";
import { generators } from "../text/generators.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { dictionaryWeights, judgedRows } from "./texts.ts";

/** One token a letter: enough to pack. */
const letters = {
  eot: 0,
  policy: { before: [], after: [], source: "none" },
  encode: (text: string) => Int32Array.from(text.slice(0, 40), (_, i) => 1 + (i % 9)),
  encodeWithOffsets: (text: string) => {
    const ids = Int32Array.from(text.slice(0, 40), (_, i) => 1 + (i % 9));
    return { ids, chars: Int32Array.from([...ids.keys()].flatMap((i) => [i, i + 1])) };
  },
} as unknown as Tokenizer;

async function corpus() {
  const documents = await readFieldGuide();
  return { documents, generators: generators({ seed: 0, texts: documents }) };
}

test("no judged document is of the splits that models and dictionaries learn from", async () => {
  const made = await corpus();
  const learned = new Set(
    made.documents
      .filter(({ split }) => split === "grow" || split === "dictionary")
      .map((d) => d.id),
  );
  const select = judgedRows(letters, made, "select", { n_ctx: 32 });
  const evaluated = judgedRows(letters, made, "eval", { n_ctx: 32 });
  const ids = new Set(select.rows.documents.map(({ id }) => id));
  for (const { id } of evaluated.rows.documents) {
    expect(learned.has(id)).toBe(false);
    expect(ids.has(id)).toBe(false);
  }
  for (const id of ids) expect(learned.has(id)).toBe(false);
});

test("machine text is never judged on", async () => {
  const made = await corpus();
  const machine = {
    ...made.documents[0]!,
    id: "machine/x#0",
    source: "machine",
    split: "eval",
  } as const;
  const documents = [...made.documents, machine];
  const { rows } = judgedRows(letters, { ...made, documents }, "eval", { n_ctx: 32 });
  expect(rows.documents.some(({ id }) => id.startsWith("machine/"))).toBe(false);
});

test("the same texts have the same hash and the same rows", async () => {
  const a = judgedRows(letters, await corpus(), "eval", { n_ctx: 32 });
  const b = judgedRows(letters, await corpus(), "eval", { n_ctx: 32 });
  expect(a.hash).toBe(b.hash);
  expect(a.rows.tokens).toEqual(b.rows.tokens);
});

test("every context of the field guide has its share of what a dictionary learns from", async () => {
  const contexts = new Set(
    (await readFieldGuide({ folder: fieldGuideFolder() })).map((d) => d.context),
  );
  for (const context of contexts) expect(Object.keys(dictionaryWeights)).toContain(context);
});
