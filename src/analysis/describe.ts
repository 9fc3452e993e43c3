// From recorded activations to a stored bundle: what every feature of a dictionary is, with its controls.
import { type Context, throwIfStopped } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import type { Product } from "../evidence/bootstrap.ts";
import type { Claim } from "../evidence/claim.ts";
import type { ControlFigures } from "../evidence/control.ts";
import type { Moments } from "../evidence/correlate.ts";
import {
  type ContextFigure,
  chooseThresholds,
  type Ground,
  judgeChosen,
} from "../evidence/judge.ts";
import type { Store } from "../storage/store.ts";
import { bundleWriter } from "./bundle.ts";
import { activationShapes } from "./histograms.ts";
import { judgeBlock } from "./judgement.ts";
import { type LogitPath, logitWeights } from "./logit-weights.ts";
import { activationSums, nearestRows, tokenScratch } from "./nearest.ts";
import { randomParticipation } from "./neurons.ts";
import type { DictionarySummary, FeatureRow } from "./page.ts";
import { describeFeature, type Named, nameFeature, type PageWorld, rowOf } from "./pages.ts";
import type { NeuronFigure } from "./readings.ts";
import { type Pieces, stripMaker } from "./strips.ts";
import { neuronFigures, surveySelect, tokenTable } from "./survey.ts";

/** One split as the dictionary sees it. */
export interface Recorded {
  columns: FeatureColumns;
  /** Moments of the neurons (or of the site's own axes) over the same tokens. */
  neurons?: Moments;
  /** The most similar neuron of each feature; taken on eval. */
  bestNeuron?: ({ neuron: number; r: number } | null)[];
}

export interface DescribeInput {
  store: Store;
  /** Folder of the bundle, e.g. `bundles/field-1l-sae-2048-k32-s0`. */
  prefix: string;
  summary: Pick<
    DictionarySummary,
    "id" | "model" | "site" | "architecture" | "d_in" | "k" | "seed" | "tokens"
  >;
  revision: number;
  state?: DictionarySummary["state"];
  W_dec: Float32Array; // [d_sae, d_in]
  scale?: number;
  tokenizer: Pieces;
  ground: Ground;
  /** Called for select first; its columns are let go before eval is asked for. */
  record(split: "select" | "eval"): Promise<Recorded>;
  path?: LogitPath | null;
  product: Product;
  control?: ControlFigures;
  /** Claims about the whole dictionary: loss, L0, FVU. */
  claims?: Claim[];
  storeActivations?: boolean;
  /** Called while a split's columns are at hand, for claims of the caller's own; they are let go after. */
  onColumns?(split: "select" | "eval", columns: FeatureColumns): void;
  inputs?: Record<string, string>;
  version?: string;
}

export interface DescribeResult {
  summary: DictionarySummary;
  rows: FeatureRow[];
  /** Each context's best feature with all figures: claims, and the control of another dictionary. */
  figures: ContextFigure[];
  /** The best neuron by context: chosen on select, judged on eval. */
  neurons: Record<string, NeuronFigure | null>;
  /** Density and shape of activation of the features that fire, by rising density. */
  shapes: NonNullable<ControlFigures["shapes"]>;
}

const block = 64;

export async function describeColumns(
  input: DescribeInput,
  context: Context = {},
): Promise<DescribeResult> {
  const { ground, summary, product, W_dec, control } = input;
  const d_sae = W_dec.length / summary.d_in;
  const rng = random(summary.seed).stream("describe");

  const select = await input.record("select");
  const survey = surveySelect(select.columns, ground);
  const thresholds = chooseThresholds(select.columns, survey.chosen, ground);
  const selectNeurons = select.neurons;
  input.onColumns?.("select", select.columns);
  select.columns = null as never; // half a gigabyte that nobody needs any more

  const { columns, neurons, bestNeuron } = await input.record("eval");
  throwIfStopped(context);
  input.onColumns?.("eval", columns);
  const figures = await judgeChosen(columns, survey.chosen, thresholds, ground);
  const world: PageWorld = {
    dictionary: summary.id,
    revision: input.revision,
    site: summary.site,
    seed: summary.seed,
    d_sae,
    W_dec,
    ground,
    columns,
    moments: activationSums(columns),
    survey,
    strips: stripMaker(ground.eval, input.tokenizer),
    neurons:
      selectNeurons && neurons
        ? neuronFigures(selectNeurons, neurons, ground)
        : new Array(ground.fit.n_contexts).fill(null),
    tokenTable: tokenTable(ground),
    bestNeuron: bestNeuron ?? [],
    participation_random: randomParticipation(summary.d_in, rng.stream("participation")),
    near: await nearestRows(W_dec, d_sae, { product }),
    product,
    control,
    rng,
    scratch: tokenScratch(columns.n_tokens),
    known: new Map(),
  };
  const named = await nameAll(world, context);
  const writer = await bundleWriter(input.store, input.prefix, input.revision);
  const rows: FeatureRow[] = [];
  for (let from = 0; from < d_sae; from += block) {
    throwIfStopped(context);
    const to = Math.min(d_sae, from + block);
    const logits = await logitsOf(input, from, to);
    for (let f = from; f < to; f++) {
      const page = describeFeature(world, f, named, logits?.[f - from] ?? null);
      rows.push(rowOf(page));
      await writer.page(page);
    }
    context.onProgress?.({ stage: "describe", done: to, total: d_sae, unit: "features" });
  }
  const dead = rows.filter((row) => row.dead).length;
  const whole: DictionarySummary = {
    ...summary,
    d_sae,
    revision: input.revision,
    state: input.state ?? (control === undefined ? "described" : "controlled"),
    n_tokens: ground.evalSums.n,
    contexts: ground.contexts.map((c) => ground.eval.contexts[c]!),
    claims: input.claims ?? [],
    alive: d_sae - dead,
    dead,
  };
  await writer.finish({
    rows,
    summary: whole,
    columns: input.storeActivations === false ? undefined : columns,
    inputs: input.inputs,
    version: input.version,
  });
  return {
    summary: whole,
    rows,
    figures,
    neurons: Object.fromEntries(
      ground.contexts.map((c) => [ground.eval.contexts[c]!, world.neurons[c] ?? null]),
    ),
    shapes: activationShapes(columns),
  };
}

async function nameAll(world: PageWorld, context: Context): Promise<Named[]> {
  const { ground, d_sae } = world;
  const d_vocab = ground.eval.tokens.reduce((most, v) => Math.max(most, v + 1), ground.fit.d_vocab);
  const scratch = { current: new Float64Array(d_vocab), previous: new Float64Array(d_vocab) };
  const named: Named[] = [];
  for (let from = 0; from < d_sae; from += block) {
    throwIfStopped(context);
    for (const judgement of await judgeBlock(world, from, Math.min(d_sae, from + block)))
      named.push(nameFeature(world, named.length, judgement, scratch));
    context.onProgress?.({ stage: "judge", done: named.length, total: d_sae, unit: "features" });
  }
  return named;
}

/** One row of logit weights per feature of the block, or null when there is no path to the logits. */
async function logitsOf(
  { path, W_dec, summary, product, scale }: DescribeInput,
  from: number,
  to: number,
): Promise<Float32Array[] | null> {
  if (!path) return null;
  const rows = W_dec.slice(from * summary.d_in, to * summary.d_in);
  const all = await logitWeights(rows, to - from, path, { product, scale });
  return Array.from({ length: to - from }, (_, i) =>
    all.subarray(i * path.d_vocab, (i + 1) * path.d_vocab),
  );
}
