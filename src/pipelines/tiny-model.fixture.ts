// A small random model that can read text, for the tests of jobs.
import { random } from "../base/random.ts";
import { initWeights, type ModelConfig, makeModel, saveModel } from "../models/index.ts";
import { folderStore } from "../storage/folder.ts";
import { countWords, trainBpe } from "../text/bpe.ts";
import { readFieldGuide } from "../text/field-guide.ts";
import { loadTokenizer } from "../text/tokenizer.ts";

export const tinyConfig: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 16,
  n_heads: 2,
  d_head: 8,
  d_mlp: 48,
  d_vocab: 512,
  n_ctx: 64,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};

/** Writes the model into a folder, with a vocabulary of the field guide's own words. */
export async function writeTinyModel(folder: string, seed = 1): Promise<void> {
  const counts = new Map<string, number>();
  for (const { text, split } of await readFieldGuide())
    if (split === "grow") countWords(counts, text);
  const tokenizerFile = trainBpe(counts, { d_vocab: tinyConfig.d_vocab });
  const tokenizer = loadTokenizer(JSON.stringify(tokenizerFile));
  const model = makeModel(tinyConfig, initWeights(tinyConfig, random(seed)), tokenizer);
  await saveModel(folderStore(folder), model, { tokenizerFile });
}
