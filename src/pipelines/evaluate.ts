// Everything that is claimed about a dictionary, with all controls and rivals: what the card and the log state.
import { z } from "zod";
import { applyControl } from "../analysis/apply-control.ts";
import { logitPath } from "../analysis/describe-dictionary.ts";
import { logitWeights } from "../analysis/logit-weights.ts";
import { probeCeiling } from "../analysis/probe-ceiling.ts";
import { checkProvenance, provenanceOf } from "../analysis/provenance.ts";
import { random } from "../base/random.ts";
import { openCoder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import type { Claim } from "../evidence/claim.ts";
import { type ContextRivals, contextClaims, discrimination } from "../evidence/context-claims.ts";
import { poolControls } from "../evidence/control.ts";
import { type ContextFigure, measureContexts, type UnitPair } from "../evidence/judge.ts";
import { densityMatched } from "../evidence/nulls.ts";
import { fieldNouns, occurrences, raisesNouns, theToken } from "../evidence/the-token.ts";
import { siteWidth } from "../models/index.ts";
import { readManifest } from "../workspace/artifact.ts";
import { dictionaryId, layout } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { permutedControl, untrainedControl } from "./controls.ts";
import type { JobContext } from "./events.ts";
import { type Figures, figuresOf, heldOutDensity } from "./figures.ts";
import { measureLosses } from "./losses.ts";
import { densityMatchedFigures, randomDirectionFigures } from "./nulls.ts";
import { readRecipe } from "./recipe.ts";
import { openStudy, type Study } from "./study.ts";
import { keptDictionary } from "./train.ts";
import type { DictionarySettings } from "./training.ts";
import { bestNeurons, unitPair } from "./units.ts";

export const EvaluateInputSchema = z.object({
  dictionary: z.string(),
  /** Also the step-0 model, random directions, equal densities, a dictionary as wide as the layer, a supervised probe. */
  full: z.boolean().default(false),
  /** Judge on the held-out part of the texts of the model's recipe, in this folder, instead. */
  texts: z.string().optional(),
  seed: z.number().int().nonnegative().optional(),
});

export interface Evaluation extends Figures {
  density: { n_tokens: number; below_1e_5: number; above_10_percent: number };
  base64: {
    distinct: boolean;
    pairs: { own: string; other: string; feature: number; auroc: number; low: number | null }[];
  };
  the: { mathematics: FieldFigures | null; contract: FieldFigures | null };
  claims: Claim[];
  /** By control and rival: r given the token of the best unit of each context. */
  others: Record<string, Record<string, number>>;
  /** Controls that could not be had, and why. */
  left_out: string[];
}

interface FieldFigures {
  auroc: Claim;
  nouns: Claim | null;
  words: string[];
  feature: number;
}

const SettingsSchema = z.object({
  site: z.string(),
  d_sae: z.number(),
  k: z.number(),
  steps: z.number(),
  batch: z.number(),
  lr: z.number(),
});

export async function evaluate(
  input: z.infer<typeof EvaluateInputSchema>,
  context: JobContext,
): Promise<Evaluation> {
  const { store, workspace } = context;
  const prefix = layout.dictionary(input.dictionary);
  const { parameters, seed } = await readManifest(store, prefix, { kind: "dictionary" });
  const settings: DictionarySettings = { ...SettingsSchema.parse(parameters), seed };
  const dictionary = await loadDictionary(store, prefix);
  const name = String(parameters.model ?? dictionary.metadata.model);
  context.onEvent({
    type: "run-started",
    model: name,
    site: settings.site,
    seed,
    dictionary: input.dictionary,
    total_tokens: settings.steps * settings.batch,
    stages: [
      { name: "control", total: settings.steps * settings.batch, unit: "tokens" },
      { name: "losses", unit: "passes" },
    ],
  });
  const { site } = settings;
  const { texts } = input;
  const study = await openStudy({ model: name, site, folder: workspace.folder, texts }, context);
  checkProvenance(dictionary.metadata, provenanceOf(study.model, study.tokenizer), {
    where: input.dictionary,
  });
  const units = await unitPair(study, dictionary, {}, context);
  const figures = await measureContexts(units, study.ground);
  const others = await otherUnits(study, settings, input.full, context);
  others.rivals.random = await randomDirectionFigures(study, dictionary, seed, context);
  others.table["random-directions"] = byContext(others.rivals.random);
  if (input.full)
    others.table["density-matched"] = await densityMatchedFigures(study, units, figures, seed);
  const control = poolControls("permuted-weights", [others.permuted], study.contexts);
  const summaries = contextClaims(figures, study.ground, { control, rivals: others.rivals, seed });

  // Pages that wait for their control get it; figures on other texts are not theirs.
  const revision = await workspace.revision(input.dictionary);
  if (revision !== null && texts === undefined) {
    const version = packageVersion();
    await applyControl(store, layout.bundle(input.dictionary), control, { version }, context);
    const bundle = { dictionary: input.dictionary, revision: revision + 1 };
    context.onEvent({ type: "bundle", ...bundle, state: "controlled" });
  }
  const coder = await openCoder(dictionary, study.backend);
  const losses = await measureLosses(study, coder, seed, context);
  const density = await heldOutDensity(study, coder, context);
  await coder.release();
  const base64 = discrimination(
    units.eval,
    summaries.filter((one) => one.context.startsWith("base64-")),
    study.ground,
  );
  const field = (title: string, contexts: string[]) =>
    theInField(study, dictionary, { title, contexts, units, control: others.units, seed });
  return {
    ...figuresOf(study, losses, density, summaries),
    density: {
      n_tokens: density.n_tokens,
      below_1e_5: density.below_1e5,
      above_10_percent: density.above_10_percent,
    },
    base64: {
      distinct: base64.distinct,
      pairs: base64.pairs.map(({ auroc, ...pair }) => ({
        ...pair,
        auroc: auroc.value,
        low: auroc.low,
      })),
    },
    the: {
      mathematics: await field("mathematics", ["latex", "proof"]),
      contract: await field("contract", ["contract"]),
    },
    claims: [...Object.values(losses.claims).filter((one) => one !== null)],
    others: others.table,
    left_out: others.left_out,
  };
}

/** The control and the rivals of every context, by the same procedure on the same rows. */
async function otherUnits(
  study: Study,
  settings: DictionarySettings,
  full: boolean,
  context: JobContext,
) {
  const { ground } = study;
  const { store } = context;
  const total = settings.steps * settings.batch;
  const watch = {
    signal: context.signal,
    onMetrics: ({ tokens }: { tokens: number }) =>
      context.onProgress({ stage: "control", done: tokens, total, unit: "tokens" }),
  };
  const permuted = await permutedControl(study, settings, { store, watch });
  const units = await unitPair(study, permuted.dictionary, permuted, context);
  const permutedFigures = await measureContexts(units, ground);
  const neurons = await bestNeurons(study, context);
  const byName = ground.contexts.map((c) => [ground.eval.contexts[c]!, neurons[c]] as const);
  const rivals: ContextRivals = { neurons: Object.fromEntries(byName) };
  const table: Record<string, Record<string, number>> = {};
  const left_out: string[] = [];
  if (full) {
    if (study.recipe === null)
      left_out.push(
        "step-0: the model has no recipe, so its weights before training are not known",
      );
    else {
      const { seed: growSeed } = await readRecipe(study.recipe);
      const untrained = await untrainedControl(study, settings, { growSeed, store, watch });
      const atStart = await unitPair(study, untrained.dictionary, untrained, context);
      table["step-0"] = byContext(await measureContexts(atStart, ground));
    }
    const wide = { ...settings, d_sae: siteWidth(study.model.config, settings.site) };
    const prefix = layout.dictionary(dictionaryId({ model: study.model.config.name, ...wide }));
    const layerWide = await unitPair(
      study,
      await keptDictionary(study, wide, { store, prefix, watch }),
      {},
      context,
    );
    rivals.layerWide = await measureContexts(layerWide, ground);
    rivals.probe = await probeCeiling(study, ground, study.backend, {}, context);
    table["layer-wide"] = byContext(rivals.layerWide);
    table.probe = Object.fromEntries(
      Object.entries(rivals.probe).map(([name, estimate]) => [name, estimate!.value]),
    );
  }
  return { permuted: permutedFigures, units, rivals, table, left_out };
}

function byContext(figures: readonly ContextFigure[]): Record<string, number> {
  return Object.fromEntries(figures.map((one) => [one.context, one.r_given_token.value]));
}

/** Among occurrences of "the": does a feature tell the field from the rest, and does it raise the field's nouns? */
async function theInField(
  study: Study,
  dictionary: Dictionary,
  {
    title,
    contexts,
    units,
    control,
    seed,
  }: { title: string; contexts: string[]; units: UnitPair; control: UnitPair; seed: number },
): Promise<FieldFigures | null> {
  const { ground, tokenizer, product, model } = study;
  const ids = [" the", "the", " The", "The"].map((word) => tokenizer.encode(word));
  const tokens = new Set(ids.filter((one) => one.length === 1).map((one) => one[0]!));
  const found = theToken(units, ground, { name: title, tokens, field: contexts, control, seed });
  if (found === null) return null;
  const there = occurrences(ground.select, tokens, new Set(contexts));
  const keep = (v: number): boolean => /^ ?\p{L}{3,}$/u.test(tokenizer.decode([v]));
  const nouns = fieldNouns(ground.select, there, { keep, min: 2 });
  const elsewhere = { ...there, inField: there.inField.map((y) => 1 - y) };
  const rest = fieldNouns(ground.select, elsewhere, { keep, min: 2, n: 60 });
  const path = logitPath(model, study.site);
  const words = nouns.map((v) => tokenizer.decode([v]));
  if (path === null || nouns.length < 3 || rest.length < 3)
    return { auroc: found.claim, nouns: null, words, feature: found.feature };
  const { d_in, W_dec } = dictionary;
  const rng = random(seed).stream(`nouns/${title}`);
  const others = densityMatched(new Array(64).fill(found.feature), units.eval, rng, { among: 256 });
  const features = [found.feature, ...new Set(others)];
  const rows = new Float32Array(features.length * d_in);
  features.forEach((f, i) => {
    rows.set(W_dec.subarray(f * d_in, (f + 1) * d_in), i * d_in);
  });
  const logits = await logitWeights(rows, features.length, path, { product });
  const rowOf = (i: number) => logits.subarray(i * path.d_vocab, (i + 1) * path.d_vocab);
  const raised = raisesNouns(
    rowOf(0),
    nouns,
    rest,
    features.slice(1).map((_, i) => rowOf(i + 1)),
    {
      name: title,
      feature: found.feature,
      rng,
      n_documents: found.claim.n_documents,
      seed,
    },
  );
  return { auroc: found.claim, nouns: raised, words, feature: found.feature };
}
