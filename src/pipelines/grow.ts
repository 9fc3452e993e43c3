// How does a recipe become an organism: texts, a vocabulary, rows, training, weights, a card.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { fail } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import { loadModel, makeModel, saveModel } from "../models/checkpoint.ts";
import { growModel } from "../models/grow.ts";
import { contextLosses } from "../models/validate.ts";
import { ortBackend } from "../runtime/ort.ts";
import { folderStore } from "../storage/folder.ts";
import { getText, putJson, type Store } from "../storage/store.ts";
import { countWords, type TokenizerFile, trainBpe } from "../text/bpe.ts";
import { mixture, mixtureRows } from "../text/mixture.ts";
import { packRows, type TokenRows } from "../text/pack.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { headReadings } from "./births.ts";
import { writeCard } from "./card.ts";
import type { JobContext } from "./events.ts";
import { type Recipe, readRecipe } from "./recipe.ts";
import { firstRows } from "./study.ts";
import { type Corpus, recipeCorpus } from "./texts.ts";

export const GrowInputSchema = z.object({
  /** Path of a `recipe.json`. */
  recipe: z.string(),
  /** Folder of the texts that the recipe names. */
  texts: z.string().optional(),
  /** Where the organism goes. */
  out: z.string(),
  /** Overrides of the recipe. */
  steps: z.number().int().positive().optional(),
  seed: z.number().int().nonnegative().optional(),
});

export interface GrowResult {
  name: string;
  hash: string;
  tokens: number;
  parameters: number;
  validation: Record<string, number>;
}

/** Rows that are validated on while growing; at the end, all are. */
const validationRows = 240;
const heldOutEach = 24;

export async function grow(
  input: z.infer<typeof GrowInputSchema>,
  context: JobContext,
): Promise<GrowResult> {
  const read = await readRecipe(input.recipe);
  const recipe: Recipe = {
    ...read,
    seed: input.seed ?? read.seed,
    training: { ...read.training, steps: input.steps ?? read.training.steps },
  };
  const { steps, batch } = recipe.training;
  const { n_ctx } = recipe.model;
  context.onEvent({
    type: "run-started",
    model: recipe.model.name,
    site: "",
    seed: recipe.seed,
    total_tokens: steps * batch * n_ctx,
    stages: [
      ...("from" in recipe.tokenizer
        ? []
        : [
            { name: "vocabulary", total: recipe.tokenizer.characters, unit: "characters" } as const,
          ]),
      { name: "rows", total: steps * batch, unit: "rows" },
      { name: "grow", total: steps * batch * (n_ctx - 1), unit: "tokens" },
    ],
  });
  const corpus = await recipeCorpus(recipe, input.texts, context);
  const store = folderStore(input.out);
  const tokenizerFile = await vocabulary(recipe, dirname(input.recipe), corpus, store, context);
  const tokenizer = loadTokenizer(JSON.stringify(tokenizerFile));
  const rows = growthRows(recipe, corpus, tokenizer, context);
  const held = heldOutRows(recipe, corpus, tokenizer);
  const backend = ortBackend({ threads: context.threads, denormalsAsZero: true });
  const { batch: _, steps: __, ...training } = recipe.training;
  const grown = await growModel(
    recipe.model,
    rows,
    {
      steps,
      batch,
      ...training,
      seed: recipe.seed,
      valRows: firstRows(held, validationRows),
      measure: recipe.model.n_layers > 1 ? headReadings(recipe.model, backend) : undefined,
      store: folderStore(join(input.out, "growth")),
    },
    context,
    backend,
  );
  const model = makeModel(recipe.model, grown.weights, tokenizer);
  const { hash } = await saveModel(store, model, { dtype: "float16", tokenizerFile });
  // Of the weights as they are stored, over all that was held out.
  const { weights } = await loadModel(store);
  const validation = await contextLosses(recipe.model, weights, held, backend);
  await writeCard(store, { recipe, corpus, tokenizer, hash, model, validation, backend });
  return {
    name: recipe.model.name,
    hash,
    tokens: steps * batch * (n_ctx - 1),
    parameters: Object.values(model.weights).reduce((sum, { data }) => sum + data.length, 0),
    validation,
  };
}

/** Trained once on the growing mix, or another model's, and kept: a continued growth reads the same one. */
async function vocabulary(
  recipe: Recipe,
  recipeFolder: string,
  corpus: Corpus,
  store: Store,
  context: Context,
): Promise<TokenizerFile> {
  if ((await store.size("tokenizer.json")) !== undefined)
    return JSON.parse(await getText(store, "tokenizer.json")) as TokenizerFile;
  if ("from" in recipe.tokenizer) {
    const path = join(recipeFolder, recipe.tokenizer.from);
    const text = await readFile(path, "utf8").catch((cause) =>
      fail("grow/tokenizer", "the vocabulary that the recipe names cannot be read", {
        where: path,
        cause,
      }),
    );
    const file = JSON.parse(text) as TokenizerFile;
    await putJson(store, "tokenizer.json", file);
    return file;
  }
  const { characters, maxTokenLength } = recipe.tokenizer;
  const source = mixture({ ...mixOf(recipe, corpus), seed: recipe.seed });
  const counts = new Map<string, number>();
  for (let read = 0; read < characters; ) {
    throwIfStopped(context);
    const { text } = source.next();
    countWords(counts, text);
    read += text.length;
    context.onProgress?.({
      stage: "vocabulary",
      done: read,
      total: characters,
      unit: "characters",
    });
  }
  const file = trainBpe(counts, { d_vocab: recipe.model.d_vocab, maxTokenLength }, context);
  await putJson(store, "tokenizer.json", file);
  return file;
}

function mixOf(recipe: Recipe, { documents, generators }: Corpus) {
  return { weights: recipe.weights, documents, generators, split: "grow" as const };
}

/** All rows of the growth, as 16-bit ids: the same for the same recipe, so a killed growth continues. */
function growthRows(recipe: Recipe, corpus: Corpus, tokenizer: Tokenizer, context: Context) {
  const { n_ctx } = recipe.model;
  const total = recipe.training.steps * recipe.training.batch;
  const source = mixtureRows(
    tokenizer,
    { ...mixOf(recipe, corpus), seed: recipe.seed + 1 },
    { n_ctx },
  );
  const tokens = new Uint16Array(total * n_ctx);
  const chunk = 512;
  for (let row = 0; row < total; row += chunk) {
    throwIfStopped(context);
    const count = Math.min(chunk, total - row);
    tokens.set(source.take(count).tokens, row * n_ctx);
    context.onProgress?.({ stage: "rows", done: row + count, total, unit: "rows" });
  }
  return { n_ctx, rows: total, tokens };
}

/** Documents of `select`, equally many of each context, in a seeded order: never grown on. */
function heldOutRows(
  recipe: Recipe,
  { documents, generators }: Corpus,
  tokenizer: Tokenizer,
): TokenRows {
  const held = documents.filter(
    ({ split, source, context }) =>
      split === "select" && source !== "machine" && Object.hasOwn(recipe.weights, context),
  );
  const generated = generators.contexts.flatMap((kind) =>
    generators.take(kind, "select", heldOutEach),
  );
  const seen = new Map<string, number>();
  const few = random(recipe.seed)
    .stream("held out")
    .shuffle([...held, ...generated])
    .filter(({ context }) => {
      const n = (seen.get(context) ?? 0) + 1;
      seen.set(context, n);
      return n <= heldOutEach;
    });
  return packRows(tokenizer, few, { n_ctx: recipe.model.n_ctx });
}
