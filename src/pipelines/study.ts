// What is being looked at, and on which rows is it judged? A model, a site, two splits, one ground.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { backendProduct } from "../analysis/product.ts";
import { check, fail } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Product } from "../evidence/bootstrap.ts";
import { type Ground, layGround } from "../evidence/judge.ts";
import {
  type Model,
  openModel as openFolder,
  type ResolvedModel,
  resolveModel,
  siteWidth,
} from "../models/index.ts";
import { type Backend, ortBackend } from "../runtime/index.ts";
import type { Document } from "../text/document.ts";
import { carrier, generatorContexts } from "../text/generators.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { readRecipe } from "./recipe.ts";
import { rowLength } from "./rows.ts";
import { type Corpus, judgedRows, localCorpus, recipeCorpus } from "./texts.ts";

export interface Study {
  /** What the model is found by again, from any folder: a name, an absolute path, a hub id with its commit. */
  reference: string;
  folder: string;
  /** The recipe beside the weights, of a model that was grown here; else null. */
  recipe: string | null;
  model: Model;
  tokenizer: Tokenizer;
  corpus: Corpus;
  backend: Backend;
  product: Product;
  site: string;
  select: TokenRows;
  eval: TokenRows;
  /** Every context that a figure is given for: those of the field guide and of the generators. */
  contexts: string[];
  ground: Ground;
  /** SHA-256 of the texts that figures are taken on. */
  hashes: { select: string; eval: string };
}

/** Generated texts are the same in every study, whatever its seed: figures are comparable. */
const corpusSeed = 0;

export interface StudyInput {
  /** A model of this project folder, a bundled organism, a folder or file with a model, or a hub id in the cache. */
  model: string;
  site: string;
  /** The project folder. */
  folder?: string;
  /** Judge on the held-out part of the texts that the model's recipe names, in this folder. */
  texts?: string;
}

/** Errors: `model/missing`, `site/unknown`, `site/axes`, `model/tokenizer`, `model/recipe`, `grow/texts`. */
export async function openStudy(
  { model: name, site, folder: project, texts }: StudyInput,
  { threads, ...context }: Context & { threads?: number },
): Promise<Study> {
  const opened = await openModel(name, project);
  const { model, tokenizer, folder, recipe } = opened;
  siteWidth(model.config, site);
  const backend = ortBackend({ threads });
  const { product } = backendProduct(backend);
  const corpus =
    texts === undefined
      ? await localCorpus(corpusSeed, context)
      : await recipeCorpus(await readRecipe(recipeOf(recipe, folder)), texts, context);
  const source = texts === undefined ? "field-guide" : "file";
  const contexts = judgedContexts(corpus, source);
  const n_ctx = rowLength(model.config);
  const options = { n_ctx, source, contexts: [...contexts, carrier, endContext] } as const;
  const select = judgedRows(tokenizer, corpus, "select", options);
  const evaluated = judgedRows(tokenizer, corpus, "eval", options);
  return {
    ...opened,
    corpus,
    backend,
    product,
    site,
    select: select.rows,
    eval: evaluated.rows,
    contexts,
    ground: await groundOf({ select: select.rows, eval: evaluated.rows, contexts, product, model }),
    hashes: { select: select.hash, eval: evaluated.hash },
  };
}

/** A model that can read text, and its folder. The project's own models come before all others. */
export async function openModel(
  name: string,
  project?: string,
): Promise<Pick<Study, "reference" | "folder" | "recipe" | "model" | "tokenizer">> {
  const found = await findModel(name, project);
  const { folder, file } = found;
  const model = await openFolder(file ?? folder, { name: found.name });
  const { tokenizer } = model;
  check(tokenizer !== undefined, "model/tokenizer", "this model has no tokenizer", {
    where: folder,
    wanted: "tokenizer.json beside config.json",
  });
  const recipe = join(folder, "recipe.json");
  return {
    reference: found.kind === "own" ? name : referenceOf(found),
    folder,
    recipe: existsSync(recipe) ? recipe : null,
    model,
    tokenizer,
  };
}

type Found = ResolvedModel | (Omit<ResolvedModel, "kind"> & { readonly kind: "own" });

/** Where the model lies that a job means. Errors: `model/missing`. */
export async function findModel(name: string, project?: string): Promise<Found> {
  const folder = project === undefined ? "" : join(project, "models", name);
  const isOwn = folder !== "" && existsSync(join(folder, "config.json"));
  return isOwn ? { kind: "own", name, folder } : resolveModel(name);
}

function referenceOf({ kind, name, folder, file, commit }: Found): string {
  if (kind === "organism") return name;
  // Of several GGUF models of one commit the path names the one that was read.
  return kind === "hub" && file === undefined ? `${name}@${commit}` : (file ?? folder);
}

function recipeOf(recipe: string | null, folder: string): string {
  if (recipe !== null) return recipe;
  return fail("model/recipe", "this model has no recipe, so no text is known to be held out", {
    where: folder,
    wanted: "recipe.json beside the weights",
    hint: "leave --texts out: figures are then taken on this project's own texts",
  });
}

function judgedContexts({ documents }: Corpus, source: Document["source"]): string[] {
  const judged = documents.filter((one) => one.source === source);
  return [...new Set([...judged.map(({ context }) => context), ...generatorContexts])].sort();
}

/** `min`: a token id is fitted when it occurs so often on select. */
export function groundOf(
  {
    select,
    eval: judged,
    contexts,
    product,
    model,
  }: Pick<Study, "select" | "eval" | "contexts" | "product" | "model">,
  min?: number,
): Promise<Ground> {
  return layGround(select, judged, {
    contexts,
    rng: random(1665),
    product,
    d_vocab: model.config.d_vocab,
    min,
  });
}

/** The first rows; documents that end later are cut. */
export function firstRows(rows: TokenRows, count: number): TokenRows {
  const kept = Math.min(count, rows.rows);
  const n = kept * rows.n_ctx;
  return {
    ...rows,
    rows: kept,
    tokens: rows.tokens.subarray(0, n),
    context: rows.context.subarray(0, n),
    doc: rows.doc.subarray(0, n),
    documents: rows.documents.slice(0, rows.doc[n - 1]! + 1),
  };
}
