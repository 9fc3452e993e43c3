// How is a dictionary trained on a model's site: rows of the mix, activations, batches, checkpoints.
import { shuffledBatches } from "../activations/index.ts";
import { provenanceOf } from "../analysis/provenance.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { finished, type TrainMetrics, trainDictionary } from "../dictionaries/train.ts";
import {
  loadTrainingState,
  saveTrainingState,
  type TrainingState,
} from "../dictionaries/training-state.ts";
import { type Model, siteWidth } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Store } from "../storage/store.ts";
import { mixtureRows } from "../text/mixture.ts";
import type { TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { beginRows, rowLength, textLength } from "./rows.ts";
import { type Corpus, dictionaryWeights } from "./texts.ts";

/** Everything that decides a dictionary, besides model and texts. */
export interface DictionarySettings {
  site: string;
  d_sae: number;
  k: number;
  seed: number;
  steps: number;
  batch: number;
  lr: number;
}

export interface TrainingParts {
  model: Model;
  tokenizer: Tokenizer;
  corpus: Corpus;
  backend: Backend;
}

export interface TrainingWatch extends Context {
  onMetrics?: (metrics: TrainMetrics) => void;
  /** Looked at every `lookEvery` steps; training waits for it. */
  onLook?: (dictionary: Dictionary, tokens: number) => Promise<void>;
  lookEvery?: number;
  /** Where a checkpoint lies, so that a killed training continues. */
  checkpoint?: { store: Store; key: string };
}

/** Vectors in the shuffling buffer: 64 MB at a width of 512. */
const bufferTokens = 32_768;
const rowsEach = 128;

/**
 * Trains on the documents of the dictionary split. The same call after a kill continues and gives the same bits.
 * The same settings on another model are the same budget: same texts, steps, rate, order.
 */
export async function trainOnModel(
  { model, tokenizer, corpus, backend }: TrainingParts,
  settings: DictionarySettings,
  watch: TrainingWatch,
): Promise<Dictionary> {
  const { site, d_sae, k, seed, steps, batch, lr } = settings;
  const d_in = siteWidth(model.config, site);
  const metadata = {
    model: model.config.name,
    ...provenanceOf(model, tokenizer),
    site,
    context_size: rowLength(model.config),
    steps,
    tokens: steps * batch,
  };
  const { checkpoint } = watch;
  const resume = checkpoint && (await loadTrainingState(checkpoint.store, checkpoint.key));
  const batches = shuffledBatches(model, backend, dictionaryRows(tokenizer, corpus, model, seed), {
    site,
    batch,
    bufferTokens: Math.max(bufferTokens, 2 * batch),
    rng: random(seed).stream("batches"),
  });
  const sizes = { d_in, d_sae, k };
  const dictionary = await trainDictionary(
    resume === undefined ? batches : after(batches, resume.step, watch),
    {
      ...sizes,
      steps,
      batch,
      lr,
      seed,
      metadata,
      resume,
      checkpointEvery: watch.lookEvery ?? Math.ceil(steps / 8),
    },
    {
      ...watch,
      async onCheckpoint(state: TrainingState) {
        if (checkpoint) await saveTrainingState(checkpoint.store, checkpoint.key, state);
        if (!watch.signal?.aborted)
          await watch.onLook?.(finished(state, sizes, { ...metadata, seed }), state.tokens);
      },
    },
    backend,
  );
  await checkpoint?.store.delete(checkpoint.key);
  return dictionary;
}

function* dictionaryRows(
  tokenizer: Tokenizer,
  { documents, generators }: Corpus,
  { config }: Model,
  seed: number,
): Generator<TokenRows> {
  const source = mixtureRows(
    tokenizer,
    { seed, weights: dictionaryWeights, documents, generators, split: "dictionary" },
    { n_ctx: textLength(rowLength(config), tokenizer) },
  );
  for (;;) yield beginRows(source.take(rowsEach), tokenizer);
}

/** Leaves out what a saved training has seen: the order of batches is the seed's, so they are made again. */
async function* after(
  batches: AsyncIterable<Float32Array>,
  count: number,
  context: Context,
): AsyncGenerator<Float32Array> {
  let at = 0;
  for await (const batch of batches) {
    at += 1;
    if (at <= count) throwIfStopped(context);
    else yield batch;
  }
}

/** Activations of the dictionary split, for baselines that are fitted: [n, d_in], n a little below `tokens`. */
export async function sampleActivations(
  { model, tokenizer, corpus, backend }: TrainingParts,
  { site, seed, tokens }: { site: string; seed: number; tokens: number },
): Promise<Float32Array> {
  const d = siteWidth(model.config, site);
  const out = new Float32Array(tokens * d);
  let at = 0;
  const batches = shuffledBatches(model, backend, dictionaryRows(tokenizer, corpus, model, seed), {
    site,
    batch: 1024,
    bufferTokens,
    rng: random(seed).stream("sample"),
  });
  for await (const batch of batches) {
    const room = out.subarray(at, at + batch.length);
    room.set(batch.subarray(0, room.length));
    at += room.length;
    if (at >= out.length) break;
  }
  return out;
}
