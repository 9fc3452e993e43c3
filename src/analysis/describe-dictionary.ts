// Describe a dictionary of a model: from two splits of text to a stored bundle, mid-training or at the end.
import { check } from "../base/errors.ts";
import type { Context } from "../base/progress.ts";
import { random } from "../base/random.ts";
import type { Coder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import type { Claim } from "../evidence/claim.ts";
import type { ControlFigures } from "../evidence/control.ts";
import { columnMoments } from "../evidence/correlate.ts";
import {
  type ContextFigure,
  chooseThresholds,
  chooseUnits,
  type Ground,
  judgeChosen,
  layGround,
} from "../evidence/judge.ts";
import { findSite, type Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Store } from "../storage/store.ts";
import { endContext, type TokenRows } from "../text/pack.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type DescribeInput, type DescribeResult, describeColumns } from "./describe.ts";
import { activationShapes } from "./histograms.ts";
import type { LogitPath } from "./logit-weights.ts";
import type { DictionarySummary } from "./page.ts";
import { backendProduct } from "./product.ts";
import { checkProvenance, provenanceInputs, provenanceOf } from "./provenance.ts";
import { recordSplit } from "./record.ts";

export interface DescribeDictionary {
  model: Model;
  dictionary: Dictionary;
  tokenizer: Tokenizer;
  select: TokenRows;
  eval: TokenRows;
  store: Store;
  /** Folder of the bundle, e.g. `bundles/field-1l-sae-2048-k32-s0`. */
  prefix: string;
  id: string;
  revision: number;
  state?: DictionarySummary["state"];
  control?: ControlFigures;
  claims?: Claim[];
  /** Contexts that are claimed about; default: all that have the tokens, end-of-text aside. */
  contexts?: readonly string[];
  storeActivations?: boolean;
  onColumns?: DescribeInput["onColumns"];
  /** What the manifest says of the texts and the model, besides its provenance. */
  inputs?: Record<string, string>;
  /** Describes a dictionary of another model, or of this one before a change of coordinates; the manifest says so. */
  allowOtherModel?: boolean;
  version?: string;
}

/** What several dictionaries on the same text can share. */
export async function groundOf(
  { select, eval: judged, contexts }: Pick<DescribeDictionary, "select" | "eval" | "contexts">,
  backend: Backend,
  { d_vocab, seed = 0 }: { d_vocab: number; seed?: number },
): Promise<Ground> {
  const { product, release } = backendProduct(backend);
  const named = contexts ?? select.contexts.filter((context) => context !== endContext);
  const rng = random(seed).stream("evidence");
  const ground = await layGround(select, judged, { contexts: named, product, d_vocab, rng });
  await release();
  return ground;
}

/**
 * Errors: `describe/site`, `describe/contexts`, those of `checkProvenance`, and those of the model, coder and
 * store.
 */
export async function describeDictionary(
  input: DescribeDictionary,
  coder: Coder,
  backend: Backend,
  context: Context = {},
): Promise<DescribeResult & { ground: Ground }> {
  const { model, dictionary, tokenizer, allowOtherModel } = input;
  const { metadata } = dictionary;
  const provenance = provenanceOf(model, tokenizer);
  const differences = checkProvenance(metadata, provenance, { where: input.id, allowOtherModel });
  const site = siteOf(dictionary);
  const seed = metadata.seed ?? 0;
  const ground = await groundOf(input, backend, { d_vocab: model.config.d_vocab, seed });
  const { product, release } = backendProduct(backend);
  const source = { model, site, coder, backend };
  try {
    const result = await describeColumns(
      {
        store: input.store,
        prefix: input.prefix,
        summary: {
          id: input.id,
          model: metadata.model ?? model.config.name,
          site,
          architecture: dictionary.architecture,
          d_in: dictionary.d_in,
          k: dictionary.k,
          seed,
          tokens: metadata.tokens ?? 0,
        },
        revision: input.revision,
        state: input.state,
        W_dec: dictionary.W_dec,
        scale: dictionary.scale,
        tokenizer,
        ground,
        record: (split) =>
          recordSplit(
            input[split],
            ground.fit,
            source,
            { match: split === "eval", stage: `record ${split}` },
            context,
          ),
        path: logitPath(model, site),
        product,
        control: input.control,
        claims: input.claims,
        storeActivations: input.storeActivations,
        onColumns: input.onColumns,
        inputs: {
          ...provenanceInputs(provenance),
          ...(differences.length === 0 ? {} : { differences: differences.join("; ") }),
          ...input.inputs,
        },
        version: input.version,
      },
      context,
    );
    return { ...result, ground };
  } finally {
    await release();
  }
}

/**
 * What `poolControls` needs of a control: the same procedure on its own model and dictionary. Nothing is stored.
 */
export async function measureDictionary(
  input: Pick<DescribeDictionary, "model" | "dictionary" | "select" | "eval">,
  ground: Ground,
  coder: Coder,
  backend: Backend,
  context: Context = {},
): Promise<{ figures: ContextFigure[]; shapes: DescribeResult["shapes"] }> {
  const { model, dictionary } = input;
  const source = { model, site: siteOf(dictionary), coder, backend };
  const off = { neurons: false };
  const select = await recordSplit(input.select, ground.fit, source, off, context);
  const moments = columnMoments(select.columns, ground.select, ground.fit);
  const chosen = chooseUnits(moments, ground);
  const thresholds = chooseThresholds(select.columns, chosen, ground);
  select.columns = null as never; // let go before eval comes
  const { columns } = await recordSplit(input.eval, ground.fit, source, off, context);
  return {
    figures: await judgeChosen(columns, chosen, thresholds, ground),
    shapes: activationShapes(columns),
  };
}

function siteOf({ metadata }: Dictionary): string {
  check(metadata.site !== undefined, "describe/site", "the dictionary does not say its site", {
    wanted: "metadata.site, e.g. blocks.0.mlp.hook_post",
  });
  return metadata.site;
}

/** Through W_out where the site is a layer's neurons; straight to W_U in the residual stream; else none. */
export function logitPath(model: Model, wire: string): LogitPath | null {
  const { config, weights } = model;
  const { row, layer } = findSite(config, wire);
  const { d_model, d_vocab, normalization } = config;
  const neurons = row.name === "mlp_post";
  if (!neurons && row.axes.at(-1) !== "d_model") return null;
  const W_out = neurons ? weights[`blocks.${layer}.mlp.W_out`] : null;
  const W_U = weights["unembed.W_U"];
  if (W_out === undefined || W_U === undefined) return null;
  return {
    W_out: W_out?.data ?? null,
    W_U: W_U.data,
    d_model,
    d_vocab,
    exact: normalization === "none",
  };
}
