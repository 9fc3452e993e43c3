// What does the model lose when a reconstruction takes the place of a site's values? The dictionary and its rivals.
import { activationStream } from "../activations/index.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import type { Coder } from "../dictionaries/coder.ts";
import { dataPoints, matchingPursuit } from "../dictionaries/data-points.ts";
import { columnMeans } from "../dictionaries/initial.ts";
import { fvuMeter, L0, meanLoss } from "../dictionaries/metrics.ts";
import { fitPca, pcaReconstructor } from "../dictionaries/pca.ts";
import {
  constantReconstructor,
  dictionaryReconstructor,
  type Reconstructor,
  topNeurons,
} from "../dictionaries/reconstruct.ts";
import type { Claim } from "../evidence/claim.ts";
import { type LossClaims, lossClaims, meanDifference, recovered } from "../evidence/loss-claims.ts";
import { lossWith } from "../hooks/index.ts";
import type { TokenRows } from "../text/pack.ts";
import { firstRows, type Study } from "./study.ts";
import { sampleActivations } from "./training.ts";

/** Cross entropies a token in nats, NaN where there is no target; the same tokens in each. */
export interface LossesByRival {
  clean: Float32Array;
  zero: Float32Array;
  mean: Float32Array;
  dictionary: Float32Array;
  data_points: Float32Array;
  pca: Float32Array;
  top_neurons: Float32Array;
}

/**
 * Every rival has the dictionary's L0: k atoms by matching pursuit of as many untrained data points as the dictionary
 * has features, the first k principal components, the k strongest neurons with the rest at their mean. All are fitted
 * on `sample` [n, d_in], activations of the dictionary split.
 */
export async function lossesByRival(
  { model, backend, site }: Pick<Study, "model" | "backend" | "site">,
  rows: TokenRows,
  coder: Coder,
  sample: Float32Array,
  context: Context,
): Promise<LossesByRival> {
  const { d_in, d_sae, k } = coder.dictionary;
  const mean = Float32Array.from(columnMeans(sample, d_in));
  const points = dataPoints(sample, { d_in, atoms: d_sae, seed: 0 });
  const pursuit = await matchingPursuit(points, k, backend);
  const components = await pcaReconstructor(await fitPca(sample, { d: d_in, k }, backend), backend);
  const ways: [keyof LossesByRival, Reconstructor | undefined][] = [
    ["clean", undefined],
    ["zero", constantReconstructor(new Float32Array(d_in))],
    ["mean", constantReconstructor(mean)],
    ["dictionary", dictionaryReconstructor(coder)],
    ["data_points", pursuit.reconstruct],
    ["pca", components.reconstruct],
    ["top_neurons", topNeurons(k, d_in, mean)],
  ];
  const losses: Partial<LossesByRival> = {};
  try {
    for (const [i, [name, replace]] of ways.entries()) {
      throwIfStopped(context);
      const splice = replace && { site, replace };
      losses[name] = (await lossWith(model, backend, rows, splice, { signal: context.signal })).ce;
      context.onProgress?.({ stage: "losses", done: i + 1, total: ways.length, unit: "passes" });
    }
  } finally {
    await pursuit.release();
    await components.release();
  }
  return losses as LossesByRival;
}

/** Tokens that losses are taken over: the first rows of eval. */
const lossRows = 160;
const sampleTokens = 16_384;

export interface MeasuredLosses {
  claims: LossClaims;
  dCE: { dictionary: number; data_points: number; pca: number; top_neurons: number };
  L0: number;
  FVU: number;
}

/** ΔCE of the dictionary and its rivals on eval, as claims; L0 and FVU over the same tokens. */
export async function measureLosses(
  study: Study,
  coder: Coder,
  seed: number,
  context: Context,
): Promise<MeasuredLosses> {
  const { model, site, backend, ground } = study;
  const rows = firstRows(study.eval, lossRows);
  const sample = await sampleActivations(study, { site, seed, tokens: sampleTokens });
  const losses = await lossesByRival(study, rows, coder, sample, context);
  const fvu = fvuMeter(coder.dictionary.d_in);
  let active = 0;
  for await (const { acts } of activationStream(model, backend, rows, { site }, context)) {
    const sparse = await coder.encode(acts);
    active += L0(sparse) * sparse.n_tokens;
    fvu.add(acts, coder.decode(sparse));
  }
  const meanL0 = active / (rows.rows * rows.n_ctx);
  const { clean, zero, mean, dictionary, data_points, pca, top_neurons } = losses;
  const { doc } = rows;
  const { resamples } = ground;
  // Where nothing was learned: as many untrained data points, at the same L0.
  const untrained = { clean, dictionary: data_points };
  const control = { kind: "data-points", draws: 1 } as const;
  const claims = lossClaims(
    {
      clean,
      dictionary,
      zero,
      mean,
      rivals: { pca, "top-neurons": top_neurons, "data-points": data_points },
    },
    {
      doc,
      resamples,
      L0: meanL0,
      seed,
      control: {
        dCE: { ...meanDifference(data_points, clean, doc, resamples), ...control },
        CE_recovered: { ...recovered(zero, untrained, doc, resamples), ...control },
        CE_recovered_mean: { ...recovered(mean, untrained, doc, resamples), ...control },
      },
    },
  );
  const above = (ce: Float32Array): number => meanLoss(ce) - meanLoss(clean);
  return {
    claims,
    dCE: {
      dictionary: above(dictionary),
      data_points: above(data_points),
      pca: above(pca),
      top_neurons: above(top_neurons),
    },
    L0: meanL0,
    FVU: fvu.value(),
  };
}

/** The claims about the whole dictionary, in the order in which a page shows them. */
export function claimsOf(claims: LossClaims): Claim[] {
  const { dCE, half_of_data_points, CE_recovered, CE_recovered_mean } = claims;
  return [dCE, half_of_data_points, CE_recovered, CE_recovered_mean].filter((one) => one !== null);
}
