// What is being looked at, and on which rows is it judged? A model, a site, two splits, one ground.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { backendProduct } from "../analysis/product.ts";
import { check } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Product } from "../evidence/bootstrap.ts";
import { type Ground, layGround } from "../evidence/judge.ts";
import { findSite, loadOrganism, type Model, organismFolder } from "../models/index.ts";
import { type Backend, ortBackend } from "../runtime/index.ts";
import type { Document } from "../text/document.ts";
import { carrier, generatorContexts } from "../text/generators.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { readRecipe } from "./recipe.ts";
import { type Corpus, judgedRows, localCorpus, recipeCorpus } from "./texts.ts";

export interface Study {
  /** What the model was asked for by: a name or a path. */
  reference: string;
  /** The model's folder, with its recipe beside the weights. */
  folder: string;
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
  /** A bundled organism, a model of this project folder, or any folder with a model. */
  model: string;
  site: string;
  /** The project folder. */
  folder?: string;
  /** Judge on the held-out part of the texts that the model's recipe names, in this folder. */
  texts?: string;
}

/** Errors: `model/missing`, `site/unknown`, `model/tokenizer`, `grow/texts`. */
export async function openStudy(
  { model: reference, site, folder: project, texts }: StudyInput,
  { threads, ...context }: Context & { threads?: number },
): Promise<Study> {
  const { model, tokenizer, folder } = await openModel(reference, project);
  findSite(model.config, site);
  const backend = ortBackend({ threads });
  const { product } = backendProduct(backend);
  const corpus =
    texts === undefined
      ? await localCorpus(corpusSeed, context)
      : await recipeCorpus(await readRecipe(join(folder, "recipe.json")), texts, context);
  const source = texts === undefined ? "field-guide" : "file";
  const contexts = judgedContexts(corpus, source);
  const { n_ctx } = model.config;
  const options = { n_ctx, source, contexts: [...contexts, carrier, endContext] } as const;
  const select = judgedRows(tokenizer, corpus, "select", options);
  const evaluated = judgedRows(tokenizer, corpus, "eval", options);
  return {
    reference,
    folder,
    model,
    tokenizer,
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

/** A model that can read text, and its folder. The project's own models come before bundled ones. */
export async function openModel(
  reference: string,
  project?: string,
): Promise<{ model: Model; tokenizer: Tokenizer; folder: string }> {
  const own = project === undefined ? "" : join(project, "models", reference);
  const isOwn = own !== "" && existsSync(join(own, "config.json"));
  const folder = await organismFolder(isOwn ? own : reference);
  const model = await loadOrganism(folder);
  const { tokenizer } = model;
  check(tokenizer !== undefined, "model/tokenizer", "this model has no tokenizer", {
    where: folder,
    wanted: "tokenizer.json beside config.json",
  });
  return { model, tokenizer, folder };
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
