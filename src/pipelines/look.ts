// What has a dictionary found so far? A quick look during training, context by context.

import { margins } from "../analysis/readings.ts";
import { stripMaker } from "../analysis/strips.ts";
import type { Context } from "../base/progress.ts";
import { openCoder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { meanLoss } from "../dictionaries/metrics.ts";
import { constantReconstructor, dictionaryReconstructor } from "../dictionaries/reconstruct.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { type Verdict, verdictOf } from "../evidence/claim.ts";
import type { ControlFigures } from "../evidence/control.ts";
import { type ContextFigure, columnOf, type Ground, measureContexts } from "../evidence/judge.ts";
import { type LossOptions, lossWith } from "../hooks/index.ts";
import { siteWidth } from "../models/index.ts";
import { carrier } from "../text/generators.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { ContextProgress } from "../workspace/run-state.ts";
import { rowLength } from "./rows.ts";
import { firstRows, groundOf, type Study } from "./study.ts";
import { judgedRows } from "./texts.ts";
import { bestNeurons, unitPair } from "./units.ts";

/** Documents of each context that a look reads, generated and natural: training waits for it. */
const generatedEach = 8;
const naturalEach = 10;
const lossRows = 16;

/** A smaller study of the same texts, and what its neurons do: made once, used by every look. */
export interface Lookout {
  study: Study;
  neurons: Awaited<ReturnType<typeof bestNeurons>>;
  losses: { clean: number; zero: number };
  lossRows: TokenRows;
}

export async function openLookout(whole: Study, context: Context): Promise<Lookout> {
  const { tokenizer, corpus, contexts, model, backend, site } = whole;
  const options = {
    n_ctx: rowLength(model.config),
    contexts: [...contexts, carrier, endContext],
    each: generatedEach,
    most: naturalEach,
  };
  const select = judgedRows(tokenizer, corpus, "select", options).rows;
  const judged = judgedRows(tokenizer, corpus, "eval", options).rows;
  const small = { ...whole, select, eval: judged };
  const ground = await groundOf(small, 10);
  const study = { ...small, ground };
  const neurons = await bestNeurons(study, context);
  const few = firstRows(judged, lossRows);
  const ce = async (splice?: LossOptions): Promise<number> =>
    meanLoss((await lossWith(model, backend, few, splice, context)).ce);
  const zero = new Float32Array(siteWidth(model.config, site));
  return {
    study,
    neurons,
    lossRows: few,
    losses: {
      clean: await ce(),
      zero: await ce({ site, replace: constantReconstructor(zero) }),
    },
  };
}

export interface Look {
  rows: ContextProgress[];
  figures: ContextFigure[];
  CE_recovered: number;
}

/** Reads the small splits with the dictionary as it is now. `tokens` says when. */
export async function look(
  { study, neurons, losses, lossRows: few }: Lookout,
  dictionary: Dictionary,
  tokens: number,
  { control }: { control?: ControlFigures },
  context: Context,
): Promise<Look> {
  const columns = await unitPair(study, dictionary, {}, context);
  const coder = await openCoder(dictionary, study.backend);
  try {
    const figures = await measureContexts(columns, study.ground);
    const { ce } = await lossWith(
      study.model,
      study.backend,
      few,
      { site: study.site, replace: dictionaryReconstructor(coder) },
      context,
    );
    const rows = study.ground.contexts.map((c) =>
      progressOf(study.ground, c, {
        figures,
        columns: columns.eval,
        neurons,
        control,
        tokens,
        study,
      }),
    );
    const CE_recovered = (losses.zero - meanLoss(ce)) / (losses.zero - losses.clean);
    return { rows, figures, CE_recovered };
  } finally {
    await coder.release();
  }
}

interface Seen {
  figures: readonly ContextFigure[];
  columns: FeatureColumns;
  neurons: Lookout["neurons"];
  control?: ControlFigures;
  tokens: number;
  study: Study;
}

function progressOf(
  ground: Ground,
  c: number,
  { figures, columns, neurons, control, tokens, study }: Seen,
): ContextProgress {
  const context = ground.eval.contexts[c]!;
  const figure = figures.find((one) => one.context === context);
  if (figure === undefined)
    return { context, feature: null, reading: null, appeared_at: null, history: [], example: null };
  const neuron = neurons[c]?.r_given_token ?? null;
  const against = control?.contexts[context]?.figures.r_given_token ?? null;
  const column = columnOf(columns, figure.unit);
  let strongest = 0;
  let inside = 0;
  for (let i = 0; i < column.value.length; i++) {
    if (column.value[i]! > column.value[strongest]!) strongest = i;
    if (ground.eval.context[column.token[i]!] === c) inside += column.value[i]!;
  }
  const share = figure.peak > 0 ? inside / ground.evalSums.n_context[c]! / figure.peak : 0;
  const { strip } = stripMaker(ground.eval, study.tokenizer);
  return {
    context,
    feature: figure.unit,
    reading: {
      estimate: figure.r_given_token,
      control: against,
      neuron,
      verdict: verdict(figure, neuron, against),
    },
    appeared_at: neuron !== null && figure.r_given_token.value > neuron ? tokens : null,
    history: [[tokens, share]],
    example: column.value.length > 0 ? strip(column, column.token[strongest]!, figure.peak) : null,
  };
}

function verdict(
  { r_given_token }: ContextFigure,
  neuron: number | null,
  control: NonNullable<ContextProgress["reading"]>["control"],
): Verdict {
  return verdictOf({
    better: "higher",
    estimate: r_given_token,
    control,
    baselines:
      neuron === null
        ? []
        : [{ kind: "best-neuron", unit: null, value: neuron, low: null, high: null }],
    margin: margins.r_given_token,
  });
}
