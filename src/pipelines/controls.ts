// The same training where nothing was learned: the permuted model, and the model before its first step.
import { random } from "../base/random.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { initWeights, type Model, makeModel, permutedModel } from "../models/index.ts";
import type { Store } from "../storage/store.ts";
import { dictionaryId, layout } from "../workspace/layout.ts";
import type { Study } from "./study.ts";
import { keptDictionary } from "./train.ts";
import type { DictionarySettings, TrainingWatch } from "./training.ts";

/** The permutation of the control: one for all dictionaries of a model. */
const permutation = 7;

export interface ControlDictionary {
  model: Model;
  dictionary: Dictionary;
}

/** The model with every weight's entries permuted: what all controls of a model are made on. */
export function controlModel(model: Model): Model {
  return permutedModel(model, permutation);
}

/** Entries of every weight matrix permuted; the dictionary has the same texts, steps, k, rate and order. */
export function permutedControl(
  study: Study,
  settings: DictionarySettings,
  parts: { store: Store; watch: Omit<TrainingWatch, "checkpoint"> },
): Promise<ControlDictionary> {
  return controlDictionary(study, controlModel(study.model), settings, parts);
}

/** The model with the weights that growing began with. */
export function untrainedControl(
  study: Study,
  settings: DictionarySettings,
  {
    growSeed,
    ...parts
  }: { growSeed: number; store: Store; watch: Omit<TrainingWatch, "checkpoint"> },
): Promise<ControlDictionary> {
  const { config, tokenizer } = study.model;
  const weights = initWeights(config, random(growSeed).stream("init"));
  const model = makeModel({ ...config, name: `${config.name}-step-0` }, weights, tokenizer);
  return controlDictionary(study, model, settings, parts);
}

async function controlDictionary(
  study: Study,
  model: Model,
  settings: DictionarySettings,
  { store, watch }: { store: Store; watch: Omit<TrainingWatch, "checkpoint"> },
): Promise<ControlDictionary> {
  const prefix = layout.dictionary(dictionaryId({ model: model.config.name, ...settings }));
  return {
    model,
    dictionary: await keptDictionary({ ...study, model }, settings, { store, prefix, watch }),
  };
}
