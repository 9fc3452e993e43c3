import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isError } from "../../base/errors.ts";
import type { Document } from "../document.ts";
import { type FileOptions, fileDocuments, type Skipped, splitOf } from "./files.ts";
import { findFiles, globPattern } from "./find-files.ts";
import { intlDocuments } from "./intl.ts";
import { machineDocuments, machineKind } from "./machine.ts";
import { pieces } from "./pieces.ts";

let folder = "";
const paragraph = "The keeper of the light wrote down the wind and the hour. ".repeat(12).trimEnd();
const put = async (name: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(join(folder, name, ".."), { recursive: true });
  await writeFile(join(folder, name), content);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sources-"));
  await put("a/one.txt", `${paragraph}\n\n${paragraph}\r\n\r\n${paragraph}`);
  await put("a/two.md", "# Two\n\nshort");
  await put("a/deep/three.txt", paragraph);
  await put("a/node_modules/x/readme.md", paragraph);
  await put("a/.hidden/no.txt", paragraph);
  await put(
    "binary.bin",
    Uint8Array.from({ length: 4000 }, (_, i) => (i * 7) % 256),
  );
  await put("latin1.txt", Buffer.from("Größe größer, Straße über. ".repeat(40), "latin1"));
  await put("bom.txt", `\ufeff${paragraph}`);
  await put("marks.txt", `\u202bשלום\u200f ${paragraph} \ud83d\ude00`);
  await put("data.jsonl", `{"body":"${paragraph}"}\nnot json\n\n{"other":1}\n{"body":"second"}\n`);
  await put("empty.txt", "");
  await put("space.txt", " \n\n \t\n");
  await symlink(join(folder, "a"), join(folder, "a/circle"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(
  names: string[],
  options: FileOptions = {},
  skipped?: Skipped,
): Promise<Document[]> {
  const found: Document[] = [];
  for await (const one of fileDocuments(
    names.map((n) => join(folder, n)),
    options,
    skipped,
  ))
    found.push(one);
  return found;
}
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isError(error) ? error.code : String(error)),
  );

test("a folder gives its files and those below, by name, without hidden ones, links and packages", async () => {
  const files = await findFiles([join(folder, "a")]);
  expect(files.map(({ name }) => name)).toEqual(["deep/three.txt", "one.txt", "two.md"]);
});

test("patterns find what a shell finds", async () => {
  const names = async (glob: string): Promise<string[]> =>
    (await findFiles([join(folder, glob)])).map(({ name }) => name);
  expect(await names("a/*.txt")).toEqual(["one.txt"]);
  expect(await names("a/**/*.txt")).toEqual(["deep/three.txt", "one.txt"]);
  expect(await names("a/*.{md,txt}")).toEqual(["one.txt", "two.md"]);
  expect(await names("**/t??.md")).toEqual(["a/two.md"]);
  expect(globPattern("/x/[a](b)+.txt").test("/x/[a](b)+.txt")).toBe(true);
  expect(globPattern("/x/*.txt").test("/x/y/z.txt")).toBe(false);
});

test("files become documents of 500 to 1,000 characters with their context and place", async () => {
  const found = await read(["a"], { context: (name) => name.split(".").at(-1)! });
  expect(found.map(({ id, context }) => [id, context])).toEqual([
    ["file/deep/three.txt#0", "txt"],
    ["file/one.txt#0", "txt"],
    ["file/one.txt#1", "txt"],
    ["file/one.txt#2", "txt"],
    ["file/two.md#0", "md"],
  ]);
  expect(found[1]!.text).toBe(paragraph);
  // The same words are on the same side wherever they stand.
  expect(new Set(found.slice(0, 4).map(({ split }) => split)).size).toBe(1);
});

test("binary files are left out and counted; marks, a byte order mark and astral letters are not", async () => {
  const skipped = { binary: 0, lines: 0 };
  const found = await read(["binary.bin", "latin1.txt", "bom.txt", "marks.txt"], {}, skipped);
  expect(skipped.binary).toBe(2);
  expect(found.map(({ id }) => id)).toEqual(["file/bom.txt#0", "file/marks.txt#0"]);
  expect(found[0]!.text.startsWith("The")).toBe(true);
  expect(found[1]!.text.startsWith("\u202bשלום\u200f")).toBe(true);
});

test("JSON lines give the field that is named", async () => {
  const skipped = { binary: 0, lines: 0 };
  const found = await read(["data.jsonl"], { field: "body" }, skipped);
  expect(found.map(({ text }) => text)).toEqual([paragraph, "second"]);
  expect(skipped.lines).toBe(2);
  expect(await codeOf(read(["data.jsonl"]))).toBe("text/jsonl-field");
});

test("nothing there, nothing in it, and nothing but bytes are errors with names", async () => {
  expect(await codeOf(read(["nowhere"]))).toBe("text/missing");
  expect(await codeOf(read(["a/*.pdf"]))).toBe("text/missing");
  expect(await codeOf(read(["empty.txt", "space.txt"]))).toBe("text/empty");
  expect(await codeOf(read(["binary.bin"]))).toBe("text/empty");
});

test("a file larger than a part loses and doubles nothing", async () => {
  const lines = Array.from({ length: 130_000 }, (_, i) => `line ${i} ${"é細🙂".repeat(5)}`);
  await put("large.txt", lines.join("\n"));
  const found = await read(["large.txt"]);
  const joined = found
    .map(({ text }) => text)
    .join("\n")
    .split("\n");
  expect(joined.length).toBe(lines.length);
  expect(joined.every((line, i) => line === lines[i])).toBe(true);
});

test("pieces keep every character but white space, and respect the longest length", () => {
  const unit = fc.oneof(
    fc.constantFrom("a", "b ", ". ", "\n", "\n\n", "。", "🙂", "e\u0301"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 400 }), (parts) => {
      const text = parts.join("");
      const made = [...pieces(text, { min: 20, max: 50 })];
      expect(made.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      for (const piece of made) expect(piece.length).toBeLessThanOrEqual(50);
    }),
    { numRuns: 500 },
  );
});

test("shares are kept on many texts", () => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 4000; i++) {
    const split = splitOf(`text ${i}`, { grow: 3, eval: 1 });
    counts[split] = (counts[split] ?? 0) + 1;
  }
  expect(Object.keys(counts).sort()).toEqual(["eval", "grow"]);
  expect(Math.abs(counts.eval! / 4000 - 0.25)).toBeLessThan(0.03); // 4 standard errors
});

describe("the text on this machine", () => {
  test("is sorted into kinds by name", () => {
    const kinds = {
      "x/README.md": "docs",
      "x/LICENSE": "licence",
      "x/LICENCE.md": "licence",
      "x/src/index.js": "code",
      "x/package.json": "json",
      "zod/v4/locales/he.js": "messages",
      "x/index.min.js": undefined,
      "x/index.js.map": undefined,
      "x/logo.png": undefined,
    };
    for (const [name, kind] of Object.entries(kinds)) expect(machineKind(name), name).toBe(kind);
  });

  test("keeps to its budget, repeats nothing, trains only, and is the same twice", async () => {
    const options = { budgets: { docs: 60_000, licence: 20_000, code: 60_000 } };
    const found = await machineDocuments(options);
    const of = (kind: string): Document[] =>
      found.filter(({ context }) => context === `machine-${kind}`);
    for (const [kind, budget] of Object.entries(options.budgets)) {
      const size = of(kind).reduce((sum, { text }) => sum + text.length, 0);
      expect(size).toBeGreaterThan(0.9 * budget);
      expect(size).toBeLessThan(budget + 12_000);
    }
    expect(of("json")).toEqual([]);
    expect(new Set(found.map(({ text }) => text)).size).toBe(found.length);
    expect(found.every(({ split }) => split === "grow" || split === "dictionary")).toBe(true);
    expect(await machineDocuments(options)).toEqual(found);
  }, 60_000);
});

test("Intl knows names, dates, numbers and units in a hundred languages", () => {
  const found = intlDocuments();
  const languages = new Set(found.map(({ context }) => context));
  expect(languages.size).toBeGreaterThanOrEqual(80);
  expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
  for (const { text } of found) expect(text.length).toBeLessThanOrEqual(1000);
  const he = found
    .filter(({ context }) => context === "intl-he")
    .map(({ text }) => text)
    .join("");
  expect(he.match(/\p{Script=Hebrew}/gu)!.length / he.length).toBeGreaterThan(0.4);
  const german = intlDocuments({ locales: ["de"], limit: 9 })
    .map(({ text }) => text)
    .join("");
  for (const name of ["Frankreich", "Oktober", "Kilometer"]) expect(german).toContain(name);
  expect(intlDocuments({ locales: ["de"] })).toEqual(intlDocuments({ locales: ["de"] }));
});
