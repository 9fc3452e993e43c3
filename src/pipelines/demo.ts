// The whole path on one model: train a dictionary, look while it learns, describe it, then do the same to the control.
import { z } from "zod";
import { applyControl } from "../analysis/apply-control.ts";
import { measureDictionary } from "../analysis/describe-dictionary.ts";
import { throwIfStopped } from "../base/progress.ts";
import { openCoder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { saveDictionary } from "../dictionaries/saelens.ts";
import { type ControlFigures, poolControls } from "../evidence/control.ts";
import { dictionaryId, layout } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { permutedControl } from "./controls.ts";
import { writePages } from "./describe.ts";
import type { JobContext } from "./events.ts";
import { contextSummaries, type Figures, figuresOf, heldOutDensity } from "./figures.ts";
import { type Lookout, look, openLookout } from "./look.ts";
import { claimsOf, measureLosses } from "./losses.ts";
import { openStudy, type Study } from "./study.ts";
import { keptDictionary } from "./train.ts";
import type { DictionarySettings } from "./training.ts";

export const DemoInputSchema = z.object({
  model: z.string().default("field-1l"),
  site: z.string().default("blocks.0.mlp.hook_post"),
  d_sae: z.number().int().positive().default(2048),
  k: z.number().int().positive().default(32),
  /** Tokens to learn from. */
  tokens: z.number().int().positive().default(6_000_000),
  seed: z.number().int().nonnegative().default(0),
  /** Also train the control, on the permuted model. */
  control: z.boolean().default(true),
});

export type DemoInput = z.infer<typeof DemoInputSchema>;

const batch = 2048;
const lr = 1.2e-3;
/** Looks while it learns. */
const looks = 10;

export async function demo(input: DemoInput, context: JobContext): Promise<Figures> {
  const { model, site, d_sae, k, seed } = input;
  const steps = Math.max(2, Math.ceil(input.tokens / batch));
  const settings: DictionarySettings = { site, d_sae, k, seed, steps, batch, lr };
  const id = dictionaryId({ model: shortName(model), site, d_sae, k, seed });
  context.onEvent({
    type: "run-started",
    model,
    site,
    seed,
    dictionary: id,
    total_tokens: steps * batch,
    stages: [
      { name: "read", unit: "texts", share: 8 },
      { name: "train", total: steps * batch, unit: "tokens", share: 200 },
      { name: "describe", total: d_sae, unit: "features", share: 40 },
      ...(input.control
        ? [{ name: "control", total: steps * batch, unit: "tokens", share: 220 }]
        : []),
    ],
  });
  const folder = context.workspace.folder;
  const study = await stage("read", context, () => openStudy({ model, site, folder }, context));
  const lookout = await openLookout(study, { signal: context.signal });

  const dictionary = await trained(study, settings, { id, lookout }, context);
  const coder = await openCoder(dictionary, study.backend);
  try {
    const quiet = { signal: context.signal };
    const described = await stage("describe", context, async () => {
      const losses = await measureLosses(study, coder, seed, quiet);
      const density = await heldOutDensity(study, coder, quiet);
      const claims = claimsOf(losses.claims);
      const pages = await writePages(
        study,
        coder,
        { id, revision: 2, state: "described", claims },
        context,
      );
      return { ...pages, losses, density };
    });
    const finish = (control?: ControlFigures): Figures =>
      figuresOf(
        study,
        described.losses,
        described.density,
        contextSummaries(study, described, control, seed),
      );
    if (!input.control) return finish();
    const control = await controlFigures(study, settings, context);
    const prefix = layout.bundle(id);
    await applyControl(context.store, prefix, control, { version: packageVersion() }, quiet);
    context.onEvent({ type: "bundle", dictionary: id, revision: 3, state: "controlled" });
    await sayContexts(lookout, dictionary, steps * batch, control, context);
    return finish(control);
  } finally {
    await coder.release();
  }
}

/** Runs a part under a stage's name; parts inside report finer progress. */
async function stage<T>(name: string, context: JobContext, work: () => Promise<T>): Promise<T> {
  throwIfStopped(context);
  context.onEvent({ type: "stage", name, state: "running" });
  const result = await work();
  context.onEvent({ type: "stage", name, state: "done" });
  return result;
}

/** Trains, or takes what an earlier run of the same settings left; looks and writes first pages on the way. */
async function trained(
  study: Study,
  settings: DictionarySettings,
  { id, lookout }: { id: string; lookout: Lookout },
  context: JobContext,
): Promise<Dictionary> {
  const total = settings.steps * settings.batch;
  let interim = (await context.workspace.revision(id)) !== null;
  const dictionary = await keptDictionary(study, settings, {
    store: context.store,
    prefix: layout.dictionary(id),
    watch: {
      signal: context.signal,
      lookEvery: Math.max(1, Math.floor(settings.steps / looks)),
      onMetrics: ({ tokens, FVU, L0, dead, loss }) => {
        context.onProgress({ stage: "train", done: tokens, total, unit: "tokens" });
        context.onEvent({ type: "metric", tokens, values: { FVU, L0, dead, loss } });
      },
      async onLook(now, tokens) {
        await sayContexts(lookout, now, tokens, undefined, context);
        if (interim) return;
        interim = true;
        // The weights that these pages describe, for the prompt page: without a manifest they do not pass for trained
        // ones, and a trained dictionary that is there stays.
        const prefix = layout.dictionary(id);
        if ((await context.store.size(`${prefix}/manifest.json`)) === undefined)
          await saveDictionary(context.store, prefix, now);
        const coder = await openCoder(now, study.backend);
        await writePages(lookout.study, coder, { id, revision: 1, state: "interim" }, context);
        await coder.release();
      },
    },
  });
  context.onEvent({ type: "stage", name: "train", state: "done", done: total, total });
  return dictionary;
}

async function sayContexts(
  lookout: Lookout,
  dictionary: Dictionary,
  tokens: number,
  control: ControlFigures | undefined,
  context: JobContext,
): Promise<void> {
  const seen = await look(lookout, dictionary, tokens, { control }, { signal: context.signal });
  context.onEvent({ type: "contexts", rows: seen.rows });
  context.onEvent({ type: "metric", tokens, values: { CE_recovered: seen.CE_recovered } });
}

/** The same budget where nothing was learned. */
async function controlFigures(
  study: Study,
  settings: DictionarySettings,
  context: JobContext,
): Promise<ControlFigures> {
  const { signal, store } = context;
  const total = settings.steps * settings.batch;
  return stage("control", context, async () => {
    const { model, dictionary } = await permutedControl(study, settings, {
      store,
      watch: {
        signal,
        onMetrics: ({ tokens, FVU, L0, dead }) => {
          context.onProgress({ stage: "control", done: tokens, total, unit: "tokens" });
          const values = { "control.FVU": FVU, "control.L0": L0, "control.dead": dead };
          context.onEvent({ type: "metric", tokens, values });
        },
      },
    });
    const coder = await openCoder(dictionary, study.backend);
    const input = { model, dictionary, select: study.select, eval: study.eval };
    const { figures, shapes } = await measureDictionary(input, study.ground, coder, study.backend, {
      signal,
    });
    await coder.release();
    return poolControls("permuted-weights", [figures], study.contexts, shapes);
  });
}

function shortName(model: string): string {
  return model.split(/[\\/]/).filter(Boolean).at(-1) ?? model;
}
