// What do a dictionary's features, or a layer's neurons, do on both splits?
import { activationStream } from "../activations/index.ts";
import { recordSplit } from "../analysis/record.ts";
import { neuronFigures } from "../analysis/survey.ts";
import type { Context } from "../base/progress.ts";
import { openCoder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { denseMoments, type Moments } from "../evidence/correlate.ts";
import type { UnitPair } from "../evidence/judge.ts";
import { type Model, siteWidth } from "../models/index.ts";
import type { TokenRows } from "../text/pack.ts";
import type { Study } from "./study.ts";

/** The columns of a dictionary on the rows of a study; `model` may be another one, e.g. the permuted. */
export async function unitPair(
  study: Study,
  dictionary: Dictionary,
  { model = study.model }: { model?: Model },
  context: Context,
): Promise<UnitPair> {
  const coder = await openCoder(dictionary, study.backend);
  const source = { ...study, model, coder };
  const quiet = { signal: context.signal };
  const columns = async (rows: TokenRows) =>
    (await recordSplit(rows, study.ground.fit, source, { neurons: false }, quiet)).columns;
  try {
    return { select: await columns(study.select), eval: await columns(study.eval) };
  } finally {
    await coder.release();
  }
}

/** The best neuron of every context: chosen on select, judged on eval. By index of context. */
export async function bestNeurons(
  study: Study,
  context: Context,
): Promise<ReturnType<typeof neuronFigures>> {
  const moments = async (rows: TokenRows): Promise<Moments> => {
    const { model, backend, site, ground } = study;
    const neurons = denseMoments(siteWidth(model.config, site), rows, ground.fit);
    for await (const { acts, rows: range } of activationStream(
      model,
      backend,
      rows,
      { site },
      context,
    ))
      neurons.add(acts, range[0] * rows.n_ctx);
    return neurons.done();
  };
  return neuronFigures(await moments(study.select), await moments(study.eval), study.ground);
}
