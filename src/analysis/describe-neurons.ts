// Describe a site's neurons as a dictionary's features are: the same pages, claims and control.
import type { Context } from "../base/progress.ts";
import type { ControlFigures } from "../evidence/control.ts";
import { columnMoments } from "../evidence/correlate.ts";
import {
  type ContextFigure,
  chooseThresholds,
  chooseUnits,
  type Ground,
  judgeChosen,
} from "../evidence/judge.ts";
import { siteWidth } from "../models/index.ts";
import type { Store } from "../storage/store.ts";
import type { TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type DescribeResult, describeColumns } from "./describe.ts";
import { logitPath } from "./describe-dictionary.ts";
import { activationShapes } from "./histograms.ts";
import { type NeuronSource, neuronThreshold, recordNeurons } from "./neuron-units.ts";
import { provenanceInputs, provenanceOf } from "./provenance.ts";

export interface DescribeNeurons extends NeuronSource {
  tokenizer: Tokenizer;
  select: TokenRows;
  eval: TokenRows;
  ground: Ground;
  store: Store;
  /** Folder of the bundle, e.g. `bundles/field-1l-neurons-blocks.0.mlp.hook_post`. */
  prefix: string;
  id: string;
  revision: number;
  control?: ControlFigures;
  inputs?: Record<string, string>;
  version?: string;
}

/**
 * The decoder is the identity: a neuron writes its row of W_out, by which neurons are also compared. No claim names
 * the best neuron as its rival, since every unit is one. Errors: `site/axes`, `describe/width`.
 */
export async function describeNeurons(
  input: DescribeNeurons,
  context: Context = {},
): Promise<DescribeResult> {
  const { model, site, tokenizer, ground } = input;
  const d = siteWidth(model.config, site);
  const threshold = await neuronThreshold(input, input.select, { tokens: most(input) }, context);
  const path = logitPath(model, site);
  return describeColumns(
    {
      store: input.store,
      prefix: input.prefix,
      summary: {
        id: input.id,
        unit: "neuron",
        threshold,
        model: model.config.name,
        site,
        architecture: "neurons",
        d_in: d,
        k: d,
        seed: 0,
        tokens: 0,
      },
      revision: input.revision,
      W_dec: identity(d),
      directions: path?.W_out ?? null,
      tokenizer,
      ground,
      record: async (split) => ({
        columns: await recordNeurons(
          input[split],
          input,
          { threshold, stage: `record ${split}` },
          context,
        ),
      }),
      path,
      product: ground.product,
      control: input.control,
      inputs: { ...provenanceInputs(provenanceOf(model, tokenizer)), ...input.inputs },
      version: input.version,
    },
    context,
  );
}

/** What `poolControls` needs of a control's neurons, e.g. the permuted model's. Nothing is stored. */
export async function measureNeurons(
  input: NeuronSource & Pick<DescribeNeurons, "select" | "eval" | "ground">,
  context: Context = {},
): Promise<{ figures: ContextFigure[]; shapes: DescribeResult["shapes"] }> {
  const { ground } = input;
  const threshold = await neuronThreshold(input, input.select, { tokens: most(input) }, context);
  const choose = async () => {
    const columns = await recordNeurons(input.select, input, { threshold }, context);
    const chosen = chooseUnits(columnMoments(columns, ground.select, ground.fit), ground);
    return { chosen, thresholds: chooseThresholds(columns, chosen, ground) };
  };
  // The columns of select are let go before those of eval come.
  const { chosen, thresholds } = await choose();
  const columns = await recordNeurons(input.eval, input, { threshold }, context);
  return {
    figures: await judgeChosen(columns, chosen, thresholds, ground),
    shapes: activationShapes(columns),
  };
}

/** Tokens of the larger split: memory is bounded for both. */
function most(of: Pick<DescribeNeurons, "select" | "eval">): number {
  return Math.max(of.select.rows * of.select.n_ctx, of.eval.rows * of.eval.n_ctx);
}

function identity(d: number): Float32Array {
  const rows = new Float32Array(d * d); // [d, d]
  for (let i = 0; i < d; i++) rows[i * d + i] = 1;
  return rows;
}
