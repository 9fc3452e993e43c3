// How does a language model come to be? A tokenizer and a tiny model, grown from scratch in seconds.
import { pathToFileURL } from "node:url";
import { meanLoss } from "../src/dictionaries/index.ts";
import {
  growModel,
  lossWith,
  type ModelConfig,
  makeModel,
  ortBackend,
  packRows,
  random,
  readFieldGuide,
} from "../src/index.ts";
import { initWeights } from "../src/models/index.ts";
import { countWords, loadTokenizer, trainBpe } from "../src/text/index.ts";

export const languages = ["french", "german", "hebrew", "russian"];

/** Text in four languages, a tokenizer of 400 tokens, and a model with 32 neurons. */
export async function main({ steps = 150, seed = 0 } = {}) {
  const documents = (await readFieldGuide()).filter(({ context }) => languages.includes(context));
  const words = new Map<string, number>();
  for (const { text, split } of documents) if (split === "grow") countWords(words, text);
  const tokenizer = loadTokenizer(JSON.stringify(trainBpe(words, { d_vocab: 400 })));
  const rowsOf = (split: string) =>
    packRows(tokenizer, random(0).shuffle(documents.filter((one) => one.split === split)), {
      n_ctx: 32,
      contexts: languages,
    });
  const rows = { grow: rowsOf("grow"), select: rowsOf("select"), eval: rowsOf("eval") };

  const config: ModelConfig = {
    name: "tiny",
    ...{ n_layers: 1, d_model: 16, n_heads: 2, d_head: 8, d_mlp: 32, d_vocab: 400, n_ctx: 32 },
    ...{ act_fn: "relu", normalization: "none", positions: "learned" },
  };
  const backend = ortBackend({ threads: 1 });
  const newborn = makeModel(config, initWeights(config, random(seed).stream("init")), tokenizer);
  const grown = await growModel(
    config,
    rows.grow,
    { steps, seed, batch: 16, lr: 1e-2 },
    {},
    backend,
  );
  const model = makeModel(config, grown.weights, tokenizer);
  // Mean cross entropy on held-out documents, in nats a token.
  const lossOf = async (one: typeof model) =>
    meanLoss((await lossWith(one, backend, rows.eval)).ce);
  const losses = { before: await lossOf(newborn), after: await lossOf(model) };
  await backend.release();
  return { model, tokenizer, rows, losses };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.table((await main()).losses);
