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
import { type BundleWriter, bundleWriter } from "./bundle.ts";
import {
  type DescribeHelper,
  describeHelper,
  helps,
  type Taken,
  takenBlocks,
} from "./describe-helper.ts";
import {
  type BlockWorld,
  type DescribedBlock,
  describeBlock,
  type NamedBlock,
  nameBlock,
  takeBlocks,
} from "./feature-blocks.ts";
import { activationShapes } from "./histograms.ts";
import type { LogitPath } from "./logit-weights.ts";
import { activationSums, nearestRows, tokenScratch } from "./nearest.ts";
import { randomParticipation } from "./neurons.ts";
import type { DictionarySummary, FeatureRow } from "./page.ts";
import type { Named } from "./pages.ts";
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
  > &
    Partial<Pick<DictionarySummary, "unit" | "threshold">>;
  revision: number;
  state?: DictionarySummary["state"];
  W_dec: Float32Array; // [d_sae, d_in]
  /** What units are compared by, [d_sae, any width], where it is not W_dec; null compares none. */
  directions?: Float32Array | null;
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
  /** Two where it pays, by default: another thread then takes every other block of features. */
  threads?: 1 | 2;
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

export async function describeColumns(
  input: DescribeInput,
  context: Context = {},
): Promise<DescribeResult> {
  const { ground, summary, product, W_dec, control, directions = W_dec } = input;
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
  const d_vocab = ground.eval.tokens.reduce(
    (most, v) => Math.max(most, v + 1),
    Math.max(ground.fit.d_vocab, input.path?.d_vocab ?? 0),
  );
  const world: BlockWorld = {
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
    near: directions === null ? noneNear(d_sae) : await nearestRows(directions, d_sae, { product }),
    product,
    control,
    rng,
    scratch: tokenScratch(columns.n_tokens),
    known: new Map(),
    path: input.path ?? null,
    scale: input.scale,
    tokenScratch: { current: new Float64Array(d_vocab), previous: new Float64Array(d_vocab) },
  };
  const taken = takenBlocks();
  const two = input.threads === undefined ? helps(columns) : input.threads > 1;
  const helper = two ? describeHelper(world, taken) : null;
  const writer = await bundleWriter(input.store, input.prefix, input.revision);
  let rows: FeatureRow[];
  try {
    const named = await nameAll(world, taken, helper, context);
    rows = await writePages(world, named, writer, taken, helper, context);
  } finally {
    await helper?.close();
  }
  const dead = rows.filter((row) => row.dead).length;
  const whole: DictionarySummary = {
    unit: "feature",
    threshold: null,
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

function noneNear(d_sae: number): [][] {
  return Array.from({ length: d_sae }, () => []);
}

/** All features named, on this thread and the helper's. */
async function nameAll(
  world: BlockWorld,
  taken: Taken,
  helper: DescribeHelper | null,
  context: Context,
): Promise<Named[]> {
  const named = new Array<Named>(world.d_sae);
  let done = 0;
  const onBlock = (block: NamedBlock): void => {
    for (let i = 0; i < block.named.length; i++) named[block.from + i] = block.named[i]!;
    done += block.named.length;
    context.onProgress?.({ stage: "judge", done, total: world.d_sae, unit: "features" });
  };
  await Promise.all([
    takeBlocks(taken.name, world.d_sae, async (from, to) => {
      throwIfStopped(context);
      onBlock(await nameBlock(world, from, to));
    }),
    helper?.name(onBlock),
  ]);
  return named;
}

/** All pages written, in order of features whichever thread made them. */
async function writePages(
  world: BlockWorld,
  named: Named[],
  writer: BundleWriter,
  taken: Taken,
  helper: DescribeHelper | null,
  context: Context,
): Promise<FeatureRow[]> {
  const rows: FeatureRow[] = [];
  const early = new Map<number, DescribedBlock>();
  const writeNext = async (): Promise<void> => {
    for (let block = early.get(rows.length); block; block = early.get(rows.length)) {
      early.delete(block.from);
      rows.push(...block.rows);
      for (const page of block.pages) await writer.packed(page);
    }
    const done = rows.length;
    context.onProgress?.({ stage: "describe", done, total: world.d_sae, unit: "features" });
  };
  let written = Promise.resolve();
  const onBlock = (block: DescribedBlock): Promise<void> => {
    early.set(block.from, block);
    written = written.then(writeNext);
    return written;
  };
  await Promise.all([
    takeBlocks(taken.describe, world.d_sae, async (from, to) => {
      throwIfStopped(context);
      await onBlock(await describeBlock(world, named, from, to));
    }),
    helper?.describe(named, onBlock),
  ]);
  await written;
  return rows;
}
