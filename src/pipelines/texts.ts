// Which documents does each job read, and which rows are figures measured on?
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Document, Split } from "../text/document.ts";
import { documentsHash, readFieldGuide } from "../text/field-guide.ts";
import { type Generators, generators } from "../text/generators.ts";
import { packRows, type TokenRows } from "../text/pack.ts";
import { fileDocuments, type Shares } from "../text/sources/files.ts";
import { intlDocuments } from "../text/sources/intl.ts";
import { machineDocuments } from "../text/sources/machine.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Recipe, TextSource } from "./recipe.ts";
import { beginRows, textLength } from "./rows.ts";

/** A quarter of the texts that a recipe names is never grown on: they check the growth and the figures. */
const fileShares: Shares = { grow: 0.75, select: 0.1, eval: 0.15 };

export interface Corpus {
  documents: Document[];
  generators: Generators;
}

/** What every machine has: the field guide, generators, packages' text and Node's own locales. */
export async function localCorpus(seed: number, context: Context = {}): Promise<Corpus> {
  const guide = await readFieldGuide();
  const machine = await machineDocuments({}, context);
  return {
    documents: [...guide, ...machine, ...intlDocuments()],
    generators: generators({ seed, texts: guide }),
  };
}

/** The local corpus and the texts that a recipe names below `folder`. */
export async function recipeCorpus(
  recipe: Recipe,
  folder: string | undefined,
  context: Context = {},
): Promise<Corpus> {
  const local = await localCorpus(recipe.seed, context);
  if (recipe.texts.length === 0) return local;
  if (folder === undefined || !existsSync(folder))
    fail("grow/texts", "the recipe names texts, and their folder is not there", {
      got: folder,
      wanted: `a folder with ${recipe.texts[0]!.path} and ${recipe.texts.length - 1} more`,
      hint: "name it with --texts",
    });
  for (const source of recipe.texts)
    local.documents.push(...(await sourceDocuments(source, folder, context)));
  return local;
}

/** Over the limit, documents are left out evenly, chosen by a seeded shuffle. */
async function sourceDocuments(
  { path, context, characters }: TextSource,
  folder: string,
  work: Context,
): Promise<Document[]> {
  const found: Document[] = [];
  const options = { context, shares: fileShares };
  for await (const document of fileDocuments([join(folder, path)], options, undefined, work))
    found.push(document);
  if (characters === undefined) return found;
  let left = characters;
  return random(0)
    .stream(path)
    .shuffle(found)
    .filter(({ text }) => {
      left -= text.length;
      return left + text.length > 0;
    });
}

export interface JudgedTexts {
  rows: TokenRows;
  /** SHA-256 of ids and texts. */
  hash: string;
}

export interface JudgedOptions {
  /** Tokens of a row, with those that the tokenizer's policy begins it with. */
  n_ctx: number;
  contexts?: readonly string[];
  /** Which natural texts: the field guide, or held-out parts of files that a recipe names. */
  source?: "field-guide" | "file";
  /** Documents of each generator. */
  each?: number;
  /** Natural documents of each context at most; of files 40, of the field guide all when left out. */
  most?: number;
}

/** Of each context of files at most: as much as the field guide has, a few times over. */
const fileDocumentsEach = 40;

/**
 * The rows that figures are taken on: natural texts and generators, nothing else, in a seeded order, so that
 * the end of one document is followed by any other. `select` to choose, `eval` to judge.
 */
export function judgedRows(
  tokenizer: Tokenizer,
  corpus: Corpus,
  split: Split & ("select" | "eval"),
  { n_ctx, contexts, source = "field-guide", each = 32, most }: JudgedOptions,
): JudgedTexts {
  const natural = corpus.documents.filter((one) => one.source === source && one.split === split);
  const limit = most ?? (source === "file" ? fileDocumentsEach : undefined);
  const documents = [
    ...(limit === undefined ? natural : firstOfEach(natural, limit)),
    ...corpus.generators.contexts.flatMap((kind) => corpus.generators.take(kind, split, each)),
  ];
  return {
    hash: documentsHash(documents),
    rows: beginRows(
      packRows(tokenizer, random(1665).stream(split).shuffle(documents), {
        n_ctx: textLength(n_ctx, tokenizer),
        contexts,
      }),
      tokenizer,
    ),
  };
}

function firstOfEach(documents: readonly Document[], limit: number): Document[] {
  const seen = new Map<string, number>();
  return random(0)
    .stream("files")
    .shuffle([...documents])
    .filter(({ context }) => {
      const n = (seen.get(context) ?? 0) + 1;
      seen.set(context, n);
      return n <= limit;
    });
}

/**
 * Shares of the tokens that a dictionary is trained on, by context, before they are made to add up to 1. All of it is on
 * every machine. What shares its alphabet or its words with much else has more.
 */
export const dictionaryWeights: Readonly<Record<string, number>> = {
  ...each(0.03, "chinese russian japanese korean greek thai german french spanish turkish"),
  ...each(0.04, "hebrew arabic hindi"),
  ...each(0.06, "contract code latex"),
  ...each(0.03, "prose"),
  ...each(0.012, "court-ruling licence abstract proof recipe poem news letter chess"),
  ...each(0.05, "base64-random base64-english base64-digits"),
  ...each(0.016, "hexadecimal dna uuid phone log json"),
  ...each(0.03, "machine-docs machine-code machine-licence machine-json machine-messages machine"),
};

function each(share: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(" ").map((name) => [name, share]));
}
