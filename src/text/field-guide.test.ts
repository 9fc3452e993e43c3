import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { splits } from "./document.ts";
import { fieldGuideHash, readFieldGuide } from "./field-guide.ts";

test("every context has at least three documents to select and three to judge on", async () => {
  const documents = await readFieldGuide();
  const contexts = new Set(documents.map(({ context }) => context));
  for (const context of contexts) {
    const own = documents.filter((document) => document.context === context);
    if (own.length < 16) continue; // still being written
    const count = (split: string): number => own.filter((one) => one.split === split).length;
    expect(count("select"), context).toBeGreaterThanOrEqual(3);
    expect(count("eval"), context).toBeGreaterThanOrEqual(3);
    expect(count("grow"), context).toBeGreaterThanOrEqual(4);
    expect((count("select") + count("eval")) / own.length).toBeGreaterThanOrEqual(0.25);
  }
});

test("any 12 to 40 documents of a context are split in about 25, 37, 19 and 19 per cent", async () => {
  const folder = await mkdtemp(join(tmpdir(), "field-guide-"));
  await mkdir(join(folder, "some"));
  for (let n = 1; n <= 40; n++) {
    await writeFile(join(folder, "some", `${n}.txt`), `text ${n}\r\n`);
    if (n < 12) continue;
    const documents = await readFieldGuide({ folder });
    const shares = splits.map((split) => documents.filter((one) => one.split === split).length / n);
    [0.25, 0.37, 0.19, 0.19].forEach((wanted, i) => {
      expect(Math.abs(shares[i]! - wanted)).toBeLessThan(0.09);
    });
    expect(shares[2]! + shares[3]!).toBeGreaterThanOrEqual(0.25);
  }
  await rm(folder, { recursive: true });
});

test("a document that is added changes the split of no other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "field-guide-"));
  await mkdir(join(folder, "some"));
  const before = new Map<string, string>();
  for (let n = 1; n <= 20; n++) {
    await writeFile(join(folder, "some", `${String(n).padStart(2, "0")}.txt`), `text ${n}`);
    for (const { id, split } of await readFieldGuide({ folder })) {
      expect(before.get(id) ?? split).toBe(split);
      before.set(id, split);
    }
  }
  await rm(folder, { recursive: true });
});

test("the hash names the select and eval texts, whatever their order", async () => {
  const documents = await readFieldGuide();
  expect(fieldGuideHash([...documents].reverse())).toBe(fieldGuideHash(documents));
  const changed = documents.map((one) => (one.split === "grow" ? { ...one, text: "" } : one));
  expect(fieldGuideHash(changed)).toBe(fieldGuideHash(documents));
  const broken = documents.map((one) => (one.split === "eval" ? { ...one, text: "" } : one));
  expect(fieldGuideHash(broken)).not.toBe(fieldGuideHash(documents));
});

test("an empty folder is an error with a name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "field-guide-"));
  await expect(readFieldGuide({ folder })).rejects.toThrow(/no documents/);
  await rm(folder, { recursive: true });
});
