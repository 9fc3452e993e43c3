// What does a single neuron do over a split? A site's own axes as units, each by itself, without a dictionary.
import { activationStream } from "../activations/index.ts";
import { check } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { findSite, type Model, siteWidth } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { spreadRows, type TokenRows } from "../text/pack.ts";
import { columnBuilder } from "./columns.ts";

export interface NeuronSource {
  model: Model;
  site: string;
  backend: Backend;
}

/** Of the values of a site without a zero of its own, this share counts as active. */
const activeShare = 0.1;
/** Active pairs of a split that are kept at most: 8 bytes each, 14 while they are recorded. */
const maxPairs = 2 ** 26;
/** Values that a threshold is taken from. */
const sampleValues = 2 ** 21;

/**
 * A neuron is active where its value is above the site's threshold. After a ReLU that is 0. Any other site
 * (GELU, SiLU, gated neurons, the stream) has no value that says "off": its threshold is what 10 % of its values
 * on select exceed, all neurons together, and at least 0. Either way it rises where a split would have more than
 * 67 million active pairs, so that memory has a bound. One threshold for select, eval and all neurons; a
 * control's is found by the same rule on its own values.
 */
export async function neuronThreshold(
  { model, site, backend }: NeuronSource,
  select: TokenRows,
  {
    pairs = maxPairs,
    tokens = select.rows * select.n_ctx,
  }: { pairs?: number; tokens?: number } = {},
  context: Context = {},
): Promise<number> {
  const { config } = model;
  const d = siteWidth(config, site);
  const { n_ctx } = select;
  const rows = spreadRows(select, Math.floor(sampleValues / (n_ctx * d)));
  const sample = new Float32Array(rows.rows * n_ctx * d);
  let at = 0;
  for await (const { acts } of activationStream(model, backend, rows, { site }, context)) {
    sample.set(acts, at);
    at += acts.length;
  }
  const relu = config.act_fn === "relu" || config.act_fn === "relu2";
  const sparse = relu && config.gated !== true && findSite(config, site).row.name === "mlp_post";
  const share = Math.min(sparse ? 1 : activeShare, pairs / (tokens * d));
  // Float32Array sorts by value.
  const sorted = sample.sort();
  const place = Math.ceil(sorted.length * (1 - share)) - 1;
  return Math.max(0, place < 0 ? 0 : sorted[place]!);
}

/** The neurons' activations by column; each batch is thinned as it streams by. */
export async function recordNeurons(
  rows: TokenRows,
  { model, site, backend }: NeuronSource,
  { threshold, stage = "record" }: { threshold: number; stage?: string },
  context: Context = {},
): Promise<FeatureColumns> {
  const d = siteWidth(model.config, site);
  check(d <= 65_535, "describe/width", "the site has too many axes for a page each", {
    where: site,
    got: d,
    wanted: "at most 65535",
  });
  const builder = columnBuilder(d);
  const { n_ctx } = rows;
  const total = rows.rows * n_ctx;
  const stream = activationStream(model, backend, rows, { site }, context);
  for await (const { acts, rows: range } of stream) {
    builder.addDense(acts, threshold);
    context.onProgress?.({ stage, done: range[1] * n_ctx, total, unit: "tokens" });
  }
  return builder.done();
}
