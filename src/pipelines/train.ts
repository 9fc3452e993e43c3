// A dictionary as a job: trained, kept in SAELens' layout with a manifest, and never trained twice.
import { z } from "zod";
import { provenanceInputs, provenanceOf } from "../analysis/provenance.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { loadDictionary, saveDictionary } from "../dictionaries/saelens.ts";
import { buildInfo } from "../runtime/index.ts";
import type { Store } from "../storage/store.ts";
import { hashOf, readManifest, writeManifest } from "../workspace/artifact.ts";
import { dictionaryId, layout } from "../workspace/layout.ts";
import type { JobContext } from "./events.ts";
import { openStudy, type Study } from "./study.ts";
import { type DictionarySettings, type TrainingWatch, trainOnModel } from "./training.ts";

export const TrainInputSchema = z.object({
  model: z.string(),
  site: z.string().default("blocks.0.mlp.hook_post"),
  d_sae: z.number().int().positive().default(2048),
  k: z.number().int().positive().default(32),
  steps: z.number().int().positive().default(3000),
  batch: z.number().int().positive().default(2048),
  lr: z.number().positive().default(1.2e-3),
  seed: z.number().int().nonnegative().default(0),
});

export interface TrainResult {
  dictionary: string;
  tokens: number;
  metrics: Record<string, number>;
}

export async function train(
  { model, ...settings }: z.infer<typeof TrainInputSchema>,
  context: JobContext,
): Promise<TrainResult> {
  const study = await openStudy(
    { model, site: settings.site, folder: context.workspace.folder },
    context,
  );
  const { name } = study.model.config;
  const id = dictionaryId({ model: name, ...settings });
  const total = settings.steps * settings.batch;
  context.onEvent({
    type: "run-started",
    model: name,
    site: settings.site,
    seed: settings.seed,
    dictionary: id,
    total_tokens: total,
    stages: [{ name: "train", total, unit: "tokens" }],
  });
  let metrics: Record<string, number> = {};
  await keptDictionary(study, settings, {
    store: context.store,
    prefix: layout.dictionary(id),
    watch: {
      signal: context.signal,
      onMetrics: ({ tokens, FVU, L0, dead, loss }) => {
        metrics = { FVU, L0, dead, loss };
        context.onProgress({ stage: "train", done: tokens, total, unit: "tokens" });
        context.onEvent({ type: "metric", tokens, values: metrics });
      },
    },
  });
  return { dictionary: id, tokens: total, metrics };
}

/** The dictionary of these settings on this model: read when it is there, else trained and written. */
export async function keptDictionary(
  study: Pick<Study, "reference" | "model" | "tokenizer" | "corpus" | "backend">,
  settings: DictionarySettings,
  {
    store,
    prefix,
    watch,
  }: { store: Store; prefix: string; watch: Omit<TrainingWatch, "checkpoint"> },
): Promise<Dictionary> {
  const provenance = provenanceOf(study.model, study.tokenizer);
  const { bos_policy } = provenance;
  const budget = hashOf({
    ...settings,
    model: study.model.hash,
    tokenizer: study.tokenizer.hash,
    // Left out where it is none, as before there was any.
    ...(bos_policy === "none" ? {} : { bos_policy }),
  });
  if ((await store.size(`${prefix}/manifest.json`)) !== undefined) {
    const { inputs } = await readManifest(store, prefix, { kind: "dictionary" });
    if (inputs.budget === budget) return loadDictionary(store, prefix);
  }
  const checkpoint = { store, key: `cache/${budget.slice(0, 16)}/training.safetensors` };
  const dictionary = await trainOnModel(study, settings, { ...watch, checkpoint });
  await saveDictionary(store, prefix, dictionary);
  const { seed, ...parameters } = settings;
  await writeManifest(store, prefix, {
    kind: "dictionary",
    parameters: { ...parameters, model: study.reference },
    seed,
    inputs: { budget, ...provenanceInputs(provenance) },
    files: ["cfg.json", "sae_weights.safetensors"],
    build: await buildInfo(study.backend),
  });
  return dictionary;
}
