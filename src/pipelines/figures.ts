// Which figures does a job print? Those of the dictionary, and those of every context with its control.

import { activationStream } from "../activations/index.ts";
import type { DescribeResult } from "../analysis/describe.ts";
import type { Context } from "../base/progress.ts";
import type { Coder } from "../dictionaries/coder.ts";
import { countFirings, type DensityFacts, densityFacts } from "../dictionaries/metrics.ts";
import { type ContextSummary, contextClaims, contextFigures } from "../evidence/context-claims.ts";
import type { ControlFigures } from "../evidence/control.ts";
import type { MeasuredLosses } from "./losses.ts";
import { rowLength } from "./rows.ts";
import type { Study } from "./study.ts";
import { judgedRows } from "./texts.ts";

export interface Figures {
  dictionary: {
    L0: number;
    FVU: number;
    dead: number;
    dCE: number;
    dCE_data_points: number;
    dCE_pca: number;
    dCE_top_neurons: number;
    CE_recovered: number | null;
    CE_recovered_mean: number | null;
  };
  contexts: Record<string, ReturnType<typeof contextFigures>>;
  texts: { select: string; eval: string };
}

/** Documents of each generator that make half a million held-out tokens. */
const heldOutEach = 200;

/** How often features fire on held-out documents, select and eval, field guide and generators. */
export async function heldOutDensity(
  { model, backend, site, tokenizer, corpus }: Study,
  coder: Coder,
  context: Context,
): Promise<DensityFacts & { n_tokens: number }> {
  const { d_sae } = coder.dictionary;
  const counts = new Float64Array(d_sae);
  let n_tokens = 0;
  for (const split of ["select", "eval"] as const) {
    const { rows } = judgedRows(tokenizer, corpus, split, {
      n_ctx: rowLength(model.config),
      each: heldOutEach / 2,
    });
    for await (const { acts } of activationStream(model, backend, rows, { site }, context))
      countFirings(await coder.encode(acts), d_sae, counts);
    n_tokens += rows.rows * rows.n_ctx;
  }
  return { ...densityFacts(counts, n_tokens), n_tokens };
}

export function contextSummaries(
  { ground }: Study,
  { figures, neurons }: Pick<DescribeResult, "figures" | "neurons">,
  control: ControlFigures | undefined,
  seed: number,
): ContextSummary[] {
  const rivals = { neurons };
  return contextClaims(figures, ground, { control, rivals, seed });
}

export function figuresOf(
  study: Study,
  losses: MeasuredLosses,
  density: DensityFacts,
  summaries: readonly ContextSummary[],
): Figures {
  const { claims, dCE, L0, FVU } = losses;
  return {
    dictionary: {
      L0,
      FVU,
      dead: density.dead,
      dCE: dCE.dictionary,
      dCE_data_points: dCE.data_points,
      dCE_pca: dCE.pca,
      dCE_top_neurons: dCE.top_neurons,
      CE_recovered: claims.CE_recovered?.estimate.value ?? null,
      CE_recovered_mean: claims.CE_recovered_mean?.estimate.value ?? null,
    },
    contexts: Object.fromEntries(summaries.map((one) => [one.context, contextFigures(one)])),
    texts: study.hashes,
  };
}
