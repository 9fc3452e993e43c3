// Pages of a model's own neurons at a site, with the permuted model's as their control: no dictionary is needed.
import { describeNeurons, measureNeurons } from "../analysis/describe-neurons.ts";
import type { DictionarySummary } from "../analysis/page.ts";
import { poolControls } from "../evidence/control.ts";
import { siteWidth } from "../models/index.ts";
import { layout, neuronsId } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { controlModel } from "./controls.ts";
import type { JobContext } from "./events.ts";
import { openStudy } from "./study.ts";

export async function describeNeuronsOf(
  { model: name, site }: { model: string; site: string },
  context: JobContext,
): Promise<DictionarySummary> {
  const { store, workspace, signal } = context;
  const study = await openStudy({ model: name, site, folder: workspace.folder }, context);
  const { model, contexts, hashes, reference } = study;
  const id = neuronsId({ model: model.config.name, site });
  const width = siteWidth(model.config, site);
  const tokens = study.select.rows * study.select.n_ctx + study.eval.rows * study.eval.n_ctx;
  context.onEvent({
    type: "run-started",
    model: model.config.name,
    site,
    seed: 0,
    dictionary: id,
    total_tokens: tokens,
    stages: [
      { name: "control", total: tokens, unit: "tokens" },
      { name: "describe", total: width, unit: "neurons" },
    ],
  });
  // Select, then eval: one stage.
  let [before, last] = [0, 0];
  const { figures, shapes } = await measureNeurons(
    { ...study, model: controlModel(model) },
    {
      signal,
      onProgress: ({ done, unit }) => {
        if (done < last) before = last;
        last = done;
        context.onProgress({ stage: "control", done: before + done, total: tokens, unit });
      },
    },
  );
  const revision = ((await workspace.revision(id)) ?? 0) + 1;
  const { summary } = await describeNeurons(
    {
      ...study,
      id,
      revision,
      store,
      prefix: layout.bundle(id),
      control: poolControls("permuted-weights", [figures], contexts, shapes),
      inputs: { reference, ...hashes },
      version: packageVersion(),
    },
    {
      signal,
      onProgress: ({ stage, done, total }) => {
        if (stage === "describe") context.onProgress({ stage, done, total, unit: "neurons" });
      },
    },
  );
  context.onEvent({ type: "bundle", dictionary: id, revision, state: summary.state });
  return summary;
}
