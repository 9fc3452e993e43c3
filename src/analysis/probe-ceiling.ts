// How far could any direction get with labels at hand? A ridge probe, judged exactly as a feature is.

import { activationStream } from "../activations/index.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Estimate } from "../evidence/claim.ts";
import { correlations, denseMoments, type Moments, tokenMeans } from "../evidence/correlate.ts";
import type { Ground } from "../evidence/judge.ts";
import { fitProbe, probeRows, probeScores } from "../evidence/probe.ts";
import { type Model, siteWidth } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { TokenRows } from "../text/pack.ts";

export interface ProbeSource {
  model: Model;
  site: string;
  select: TokenRows;
  eval: TokenRows;
}

/**
 * Correlation given the token of the probe's score for each context, on eval. Fitted on at most `limit` tokens
 * of select; a ceiling, never a rival, since it was told the labels.
 */
export async function probeCeiling(
  source: ProbeSource,
  ground: Ground,
  backend: Backend,
  { limit = 10_000, seed = 0 }: { limit?: number; seed?: number } = {},
  context: Context = {},
): Promise<Record<string, Estimate>> {
  const { select } = source;
  const n_contexts = ground.fit.n_contexts;
  const rows = probeRows(select.tokens.length, limit, random(seed).stream("probe"));
  const d = siteWidth(source.model.config, source.site);
  const sample = new Float32Array(rows.length * d);
  let next = 0;
  const stream = (split: TokenRows) =>
    activationStream(source.model, backend, split, { site: source.site }, context);
  for await (const { acts, rows: piece } of stream(select)) {
    const from = piece[0] * select.n_ctx;
    for (; next < rows.length && rows[next]! < from + acts.length / d; next++) {
      const at = (rows[next]! - from) * d;
      sample.set(acts.subarray(at, at + d), next * d);
    }
  }
  const labels = Uint16Array.from(rows, (t) => select.context[t]!);
  const probe = fitProbe(sample, labels, { d, n_contexts });
  const scored = async (split: TokenRows): Promise<Moments> => {
    const sums = denseMoments(n_contexts, split, ground.fit);
    for await (const { acts, rows: piece } of stream(split))
      sums.add(probeScores(probe, acts), piece[0] * split.n_ctx);
    return sums.done();
  };
  const means = tokenMeans(await scored(select), ground.fit);
  const judged = correlations(await scored(source.eval), ground.evalSums, ground.fit, means);
  return Object.fromEntries(
    ground.contexts.map((c) => [
      ground.eval.contexts[c]!,
      { value: judged.r_given_token[c * n_contexts + c]!, low: null, high: null },
    ]),
  );
}
