// Which texts were written for this project, and which of them may be used for what?
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, fail } from "../base/errors.ts";
import { hash32 } from "../base/random.ts";
import type { Document, Split } from "./document.ts";
import { sha256 } from "./hash.ts";

/**
 * The splits of 16 documents of one context, by their number: grow 4, dictionary 6, select 3, eval 3.
 * Each context begins at its own place in the circle. A document that is added changes the split of no
 * other, so that what is judged on today was not grown on yesterday.
 */
// biome-ignore format: four rows of four
const pattern: readonly Split[] = [
  "grow", "select", "dictionary", "eval",
  "dictionary", "grow", "select", "dictionary",
  "dictionary", "eval", "grow", "select",
  "dictionary", "dictionary", "eval", "grow",
];

/** `corpus/field-guide` of this package, from its sources or as built. */
export function fieldGuideFolder(): string {
  const from = dirname(fileURLToPath(import.meta.url));
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, "corpus", "field-guide");
    if (existsSync(found)) return found;
    if (folder === dirname(folder))
      return fail("text/field-guide", "the field guide is not there", {
        where: from,
        wanted: "corpus/field-guide in a folder above",
      });
  }
}

/** All documents, by context and name. The context is the name of the folder. */
export async function readFieldGuide({
  folder = fieldGuideFolder(),
}: {
  folder?: string;
} = {}): Promise<Document[]> {
  const documents: Document[] = [];
  const contexts = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  for (const context of contexts) {
    const names = (await readdir(join(folder, context))).filter((name) => name.endsWith(".txt"));
    const own = names.map(async (name): Promise<Document> => {
      const text = await readFile(join(folder, context, name), "utf8");
      return {
        id: `field-guide/${context}/${name.slice(0, -4)}`,
        text: text.replace(/\r\n?/g, "\n").trimEnd(),
        context,
        source: "field-guide",
        split: splitOfName(context, name.slice(0, -4)),
      };
    });
    documents.push(...(await Promise.all(own)).sort((a, b) => (a.id < b.id ? -1 : 1)));
  }
  check(documents.length > 0, "text/empty", "the field guide has no documents", { where: folder });
  return documents;
}

function splitOfName(context: string, name: string): Split {
  const number = /^\d+$/.test(name) ? Number(name) : hash32(name);
  return pattern[(number + hash32(context)) % pattern.length]!;
}

/** Names the texts that figures are measured on: SHA-256 of all select and eval documents. */
export function fieldGuideHash(documents: readonly Document[]): string {
  return documentsHash(
    documents.filter(
      ({ source, split }) => source === "field-guide" && (split === "select" || split === "eval"),
    ),
  );
}

/** SHA-256 of ids and texts, in the order of the ids. */
export function documentsHash(documents: readonly Document[]): string {
  const sorted = [...documents].sort((a, b) => (a.id < b.id ? -1 : 1));
  return sha256(JSON.stringify(sorted.map(({ id, text }) => [id, text])));
}
