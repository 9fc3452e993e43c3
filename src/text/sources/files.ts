// Which documents are in these files?
import { check, fail } from "../../base/errors.ts";
import { type Context, throwIfStopped } from "../../base/progress.ts";
import type { Document, Split } from "../document.ts";
import { splits } from "../document.ts";
import { sha256 } from "../hash.ts";
import { type FindOptions, findFiles } from "./find-files.ts";
import { type PieceLength, pieces } from "./pieces.ts";
import { readTextFile } from "./text-file.ts";

export type Shares = Readonly<Partial<Record<Split, number>>>;

export interface FileOptions extends FindOptions {
  /** The label, or how a file's name (with `/`) gives it. */
  context?: string | ((name: string) => string);
  /** How much goes to each split, by a hash of the content; the sum is made 1. */
  shares?: Shares;
  length?: PieceLength;
  /** Which of the files found are read, by name; all when absent. */
  only?: (name: string) => boolean;
  /** In `.jsonl` and `.ndjson` files, the field that holds the text. */
  field?: string;
}

/** What was left out, counted as reading goes on. */
export interface Skipped {
  binary: number;
  /** Lines of JSON lines that are no JSON object with that field. */
  lines: number;
}

export const defaultShares: Shares = {
  grow: 0.25,
  dictionary: 0.375,
  select: 0.1875,
  eval: 0.1875,
};

/**
 * Documents of 500 to 1,000 characters, file by file in the order of their names. The same text falls
 * in the same split wherever it stands. Refuses with `text/empty` when no file holds any text.
 */
export async function* fileDocuments(
  inputs: readonly string[],
  {
    context = "file",
    shares = defaultShares,
    length = { min: 500, max: 1000 },
    field = "text",
    only = () => true,
    skip,
  }: FileOptions = {},
  skipped: Skipped = { binary: 0, lines: 0 },
  work: Context = {},
): AsyncGenerator<Document> {
  const files = (await findFiles(inputs, { skip })).filter(({ name }) => only(name));
  let count = 0;
  for (const [i, { path, name }] of files.entries()) {
    throwIfStopped(work);
    work.onProgress?.({ stage: "text", done: i, total: files.length, unit: "files" });
    const parts = await readTextFile(path);
    if (parts === undefined) {
      skipped.binary += 1;
      continue;
    }
    const texts = /\.(jsonl|ndjson)$/i.test(name) ? jsonLines(parts, field, path, skipped) : parts;
    let n = 0;
    for await (const text of texts)
      for (const piece of pieces(text, length)) {
        count += 1;
        yield {
          id: `file/${name}#${n++}`,
          text: piece,
          context: typeof context === "string" ? context : context(name),
          source: "file",
          split: splitOf(piece, shares),
        };
      }
  }
  check(count > 0, "text/empty", "no text was found", {
    where: inputs.join(", "),
    got: `${files.length} files, ${skipped.binary} of them binary`,
    hint: "name files or folders with UTF-8 text in them",
  });
}

/** All documents of a folder (or file, or pattern) at once, for the mix that a model grows on. */
export async function externalDocuments(
  folder: string,
  options: FileOptions = {},
  context: Context = {},
): Promise<Document[]> {
  const documents: Document[] = [];
  for await (const one of fileDocuments([folder], options, undefined, context)) documents.push(one);
  return documents;
}

/** By content, so that a text that stands twice is on one side of every split. */
export function splitOf(text: string, shares: Shares): Split {
  const sum = splits.reduce((total, split) => total + (shares[split] ?? 0), 0);
  check(sum > 0, "text/shares", "the shares of the splits add up to nothing", { got: shares });
  let at = (Number.parseInt(sha256(text).slice(0, 8), 16) / 2 ** 32) * sum;
  for (const split of splits) {
    at -= shares[split] ?? 0;
    if (at < 0) return split;
  }
  return splits.findLast((split) => (shares[split] ?? 0) > 0)!;
}

async function* jsonLines(
  parts: AsyncIterable<string>,
  field: string,
  where: string,
  skipped: Skipped,
): AsyncGenerator<string> {
  let good = 0;
  let seen: unknown;
  for await (const part of parts)
    for (const line of part.split("\n")) {
      if (line.trim() === "") continue;
      const record = parse(line);
      seen ??= record;
      const text = record?.[field];
      if (typeof text === "string") {
        good += 1;
        yield text;
      } else skipped.lines += 1;
    }
  if (good === 0 && skipped.lines > 0)
    fail("text/jsonl-field", `no line has a text in the field "${field}"`, {
      where,
      got: typeof seen === "object" && seen !== null ? Object.keys(seen) : "no JSON object",
      wanted: field,
      hint: "name the field that holds the text",
    });
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
