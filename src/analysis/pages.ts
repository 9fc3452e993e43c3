// How does one feature's page come from its activations and figures?
import type { Random } from "../base/random.ts";
import { equalBands, peakOf, quantileBands, type ShareBand } from "../evidence/bands.ts";
import type { Estimate } from "../evidence/claim.ts";
import type { ControlFigures } from "../evidence/control.ts";
import { columnOf } from "../evidence/judge.ts";
import { characteristicTokens, type TokenShare } from "./characteristic.ts";
import { chooseExamples, intervals } from "./examples.ts";
import { activationHistogram, rounded, rowBins } from "./histograms.ts";
import type { Judgement, JudgeWorld } from "./judgement.ts";
import { summarizeLogits } from "./logit-weights.ts";
import { nameOf, statementOf, type TokenShown } from "./name.ts";
import { activationCorrelations, type Near, type TokenScratch } from "./nearest.ts";
import { neuronShares } from "./neurons.ts";
import type { Band, FeaturePage, FeatureRow, Interval } from "./page.ts";
import { contextReading, pairClaim, roundedEstimate } from "./readings.ts";
import type { stripMaker } from "./strips.ts";

/** What all pages of a dictionary share. */
export interface PageWorld extends JudgeWorld {
  dictionary: string;
  revision: number;
  site: string;
  d_sae: number;
  W_dec: Float32Array; // [d_sae, d_in]
  /** Σ a and Σ a² of every feature. */
  moments: { sum: Float64Array; square: Float64Array };
  strips: ReturnType<typeof stripMaker>;
  bestNeuron: ({ neuron: number; r: number } | null)[];
  participation_random: number;
  near: Near[][];
  control: ControlFigures | undefined;
  rng: Random;
  scratch: TokenScratch;
  /** Correlations of neighbours that are known already. */
  known: Map<number, number | null>;
}

/** What must be known of all features before the first page, which names its neighbours, is written. */
export interface Named {
  judgement: Judgement;
  characteristic: { current: TokenShown[]; previous: TokenShown[] };
  name: string | null;
}

export function nameFeature(
  world: PageWorld,
  feature: number,
  judgement: Judgement,
  scratch: { current: Float64Array; previous: Float64Array },
): Named {
  const column = columnOf(world.columns, feature);
  const shares = characteristicTokens(column, world.ground.eval, scratch);
  const shown = (list: TokenShare[]): TokenShown[] =>
    list.map(({ token, share }) => ({ piece: world.strips.piece(token), share }));
  const characteristic = { current: shown(shares.current), previous: shown(shares.previous) };
  const best = judgement.readings[0];
  const claim = best === undefined ? null : pairClaim("r_given_token", best, world.control);
  const name = nameOf({ best_context: best?.context ?? null, claim, characteristic });
  return { judgement, characteristic, name };
}

export function describeFeature(
  world: PageWorld,
  feature: number,
  named: readonly Named[],
  logits: Float32Array | null,
): FeaturePage {
  const { ground, strips, control } = world;
  const { judgement, characteristic, name } = named[feature]!;
  const column = columnOf(world.columns, feature);
  const peak = peakOf(column);
  const dead = column.value.length === 0;
  const best = world.survey.judged[feature]![0]?.context;
  const best_context = best === undefined ? null : ground.eval.contexts[best]!;
  const contexts = judgement.readings.map((facts) => contextReading(facts, control));
  const first = contexts[0];
  const claims =
    first === undefined
      ? []
      : [
          first.r_given_token,
          first.r,
          first.precision,
          first.recall,
          pairClaim("weight", judgement.readings[0]!, control),
        ];
  const { context } = ground.eval;
  const inside = (t: number): boolean => context[t] === best;
  const beside = best_context === null ? undefined : control?.contexts[best_context];
  const examples = chooseExamples(column, peak, ground.eval, {
    rng: world.rng.stream(`examples ${feature}`),
  });
  const strip = (t: number) => strips.strip(column, t, peak);
  const bands = dead ? [] : equalBands(column, inside, { bands: intervals, peak });
  const weakFirst = bands.map(
    (band, b): Interval => ({
      ...shownBand(band, best, beside?.bands[b]),
      examples: examples.random[b]!.map(strip),
    }),
  );
  const logit = logits === null ? null : summarizeLogits(logits);
  const page: FeaturePage = {
    dictionary: world.dictionary,
    revision: world.revision,
    index: feature,
    name,
    statement: "",
    site: world.site,
    d_sae: world.d_sae,
    density: roundedEstimate(judgement.density),
    n_tokens: ground.evalSums.n,
    peak: rounded(peak),
    dead,
    best_context,
    characteristic,
    claims,
    activation: {
      ...activationHistogram(column, dead ? 1 : peak),
      control: matchedShape(control, judgement.density.value),
    },
    intervals: weakFirst.reverse(),
    top: examples.top.map(strip),
    quantile_bands: dead
      ? []
      : quantileBands(column, inside, { peak }).map((band, b) =>
          shownBand(band, best, beside?.quantile_bands[b]),
        ),
    contexts,
    n_contexts: ground.contexts.length,
    logits: {
      up: shownLogits(world, logit?.up ?? []),
      down: shownLogits(world, logit?.down ?? []),
      histogram: logit?.histogram ?? { edges: [], counts: [] },
      kurtosis: logit?.kurtosis ?? 0,
    },
    nearest: nearest(world, feature, named),
    neurons: {
      ...neuronShares(decoderRow(world, feature)),
      participation_random: world.participation_random,
      best: dead ? null : (world.bestNeuron[feature] ?? null),
    },
  };
  page.statement = statementOf(page);
  return page;
}

function decoderRow({ W_dec, d_sae }: PageWorld, feature: number): Float32Array {
  const d_in = W_dec.length / d_sae;
  return W_dec.subarray(feature * d_in, (feature + 1) * d_in);
}

function nearest(
  world: PageWorld,
  feature: number,
  named: readonly Named[],
): FeaturePage["nearest"] {
  const near = world.near[feature]!;
  const others = near.map(({ index }) => index);
  const r = activationCorrelations(world.columns, feature, others, world.moments, world);
  return near.map(({ index, cosine }, i) => ({
    index,
    name: named[index]!.name,
    cosine: rounded(cosine),
    r: r[i] === null ? null : rounded(r[i]!),
  }));
}

function shownLogits(
  { strips }: PageWorld,
  list: { token: number; value: number }[],
): FeaturePage["logits"]["up"] {
  return list.map(({ token, value }) => ({ token, piece: strips.piece(token), value }));
}

function shownBand(
  band: ShareBand,
  best: number | undefined,
  control: Estimate | null | undefined,
): Band {
  return {
    low: rounded(band.low),
    high: rounded(band.high),
    n: band.n,
    share: best === undefined || band.share === null ? null : roundedEstimate(band.share),
    control: control ? roundedEstimate(control) : null,
  };
}

/** The histogram of the control's feature of nearest density, at the same shares of its own peak. */
export function matchedShape(
  control: ControlFigures | undefined,
  density: number,
): number[] | null {
  const shapes = control?.shapes;
  if (shapes === undefined || shapes.density.length === 0 || density === 0) return null;
  let best = 0;
  for (let i = 0; i < shapes.density.length; i++)
    if (
      Math.abs(Math.log(shapes.density[i]! / density)) <
      Math.abs(Math.log(shapes.density[best]! / density))
    )
      best = i;
  return shapes.counts[best]!;
}

/** The list's row, made from the page. */
export function rowOf(page: FeaturePage): FeatureRow {
  const claim = page.claims.find((c) => c.metric === "r_given_token");
  const counts = page.activation.histogram.counts;
  return {
    index: page.index,
    name: page.name,
    best_context: page.best_context,
    reading:
      claim === undefined
        ? null
        : {
            estimate: claim.estimate,
            control: claim.control,
            neuron: claim.baselines.find((b) => b.kind === "best-neuron")?.value ?? null,
            verdict: claim.verdict,
          },
    density: page.density.value,
    peak: page.peak,
    dead: page.dead,
    activation: rebinned(counts, rowBins),
    weak_to_strong: page.intervals.map((i) => i.share?.value ?? null).reverse(),
    example: page.top[0] ?? null,
    next_token: page.logits.up[0]?.piece ?? null,
  };
}

/** Counts shared out to fewer bins of equal width, in proportion to overlap. */
function rebinned(counts: readonly number[], bins: number): number[] {
  const out = new Array<number>(bins).fill(0);
  counts.forEach((n, b) => {
    const from = (b * bins) / counts.length;
    const to = ((b + 1) * bins) / counts.length;
    const first = Math.floor(from + 1e-9);
    const cut = Math.min(to, first + 1);
    out[first]! += (n * (cut - from)) / (to - from);
    if (to > cut + 1e-9) out[first + 1]! += (n * (to - cut)) / (to - from);
  });
  return out.map((n) => Math.round(n));
}
