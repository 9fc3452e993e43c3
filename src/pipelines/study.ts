// What is being looked at, and on which rows is it judged? A model, a site, two splits, one ground.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { backendProduct } from "../analysis/product.ts";
import { check } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Product } from "../evidence/bootstrap.ts";
import { type Ground, layGround } from "../evidence/judge.ts";
import { findSite, loadOrganism, type Model } from "../models/index.ts";
import { type Backend, ortBackend } from "../runtime/index.ts";
import { carrier, generatorContexts } from "../text/generators.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type Corpus, judgedRows, localCorpus } from "./texts.ts";

export interface Study {
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

/**
 * `model` is a bundled organism, a model of this project folder, or any folder with a model.
 * Errors: `model/missing`, `site/unknown`, `model/tokenizer`.
 */
export async function openStudy(
  { model: name, site, folder }: { model: string; site: string; folder?: string },
  { threads, ...context }: Context & { threads?: number },
): Promise<Study> {
  const own = folder === undefined ? "" : join(folder, "models", name);
  const model = await loadOrganism(own !== "" && existsSync(join(own, "config.json")) ? own : name);
  findSite(model.config, site);
  const { tokenizer } = model;
  check(tokenizer !== undefined, "model/tokenizer", "this model has no tokenizer", {
    where: name,
    wanted: "tokenizer.json beside config.json",
  });
  const backend = ortBackend({ threads });
  const { product } = backendProduct(backend);
  const corpus = await localCorpus(corpusSeed, context);
  const contexts = judgedContexts(corpus);
  const options = { n_ctx: model.config.n_ctx, contexts: [...contexts, carrier, endContext] };
  const select = judgedRows(tokenizer, corpus, "select", options);
  const evaluated = judgedRows(tokenizer, corpus, "eval", options);
  return {
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

function judgedContexts({ documents }: Corpus): string[] {
  const guide = documents.filter(({ source }) => source === "field-guide");
  return [...new Set([...guide.map(({ context }) => context), ...generatorContexts])].sort();
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
