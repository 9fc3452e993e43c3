// What is inside a model while it reads: any site's values, with or without interventions.
import { input, type Program, program, type Value } from "../graph/index.ts";
import { findSite, forward, largestRowBytes, type Model } from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun, workShare } from "../runtime/index.ts";
import { allocate, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { feedsOf, tapOf } from "./apply.ts";
import { matchSites, siteAt } from "./globs.ts";
import type { Intervention } from "./interventions.ts";
import { boundWeights, remembered } from "./memo.ts";
import { type Handed, nothing, type Plan, planInterventions } from "./plan.ts";
import { checkTokens, rowsOf } from "./rows.ts";

export interface CaptureOptions extends Handed {
  /** Site strings, globs of them, or short names: `blocks.0.mlp.hook_post`, `blocks.*.hook_z`, `z`. */
  sites?: readonly string[];
  /** Whether to compute the logits too; without them the model is run only as far as needed. */
  logits?: boolean;
  /** Applied in order; `feeds` and `splices` are what they name. */
  interventions?: readonly Intervention[];
  /** A run's outputs beyond this many bytes are split over several runs. */
  outputLimit?: number;
}

/**
 * Runs int32 tokens [batch, pos] and returns the values at the sites, float32 by site string, as
 * they are after the interventions. Sites and interventions that cannot fire are refused:
 * `site/…`, `intervention/…`, `shape/intervention`, `hooks/tokens`.
 */
export async function runWithCache(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  {
    sites: patterns = [],
    logits,
    interventions = [],
    feeds: handed,
    splices,
    outputLimit = outputLimitBytes,
  }: CaptureOptions = {},
): Promise<{ logits?: Tensor<"float32">; cache: Record<string, Tensor<"float32">> }> {
  const { config } = model;
  checkTokens(config, tokens);
  const sites = patterns.length === 0 ? [] : matchSites(config, patterns);
  const plan = planInterventions(config, interventions, tokens, { feeds: handed, splices });
  const [rows, pos] = tokens.shape as [number, number];
  const wanted = { sites, logits: logits ?? sites.length === 0 };
  const shapes = outputShapes(model, wanted, pos);
  const bytesPerRow = Object.values(shapes).reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  const work = largestRowBytes(config, pos, wanted) / workShare;
  const batch = rowsPerRun(rows, { bytesPerRow: Math.max(bytesPerRow, work), limit: outputLimit });
  const results = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      tensor("float32", [rows, ...shape], allocate("float32", rows * sizeOf(shape))),
    ]),
  );
  const { feeds: weights } = boundWeights(model);
  for (let from = 0; from < rows; from += batch) {
    const n = Math.min(batch, rows - from);
    const run = await backend.compile(captureProgram(model, { batch: n, pos, ...wanted, plan }));
    const into = Object.fromEntries(
      Object.entries(results).map(([name, all]) => [name, rowsOf(all, from, n)]),
    );
    await run.run({ ...weights, ...feedsOf(plan, from, n), tokens: rowsOf(tokens, from, n) }, into);
    await run.release();
  }
  const { logits: last, ...cache } = results;
  return last === undefined ? { cache } : { logits: last, cache };
}

/**
 * Tokens [batch, pos], all weights and the plan's numbers (`feedsOf`) → the sites by their strings,
 * and `logits` if wanted.
 */
export function captureProgram(
  model: Model,
  {
    batch,
    pos,
    sites = [],
    logits = false,
    plan = nothing,
  }: { batch: number; pos: number; sites?: readonly string[]; logits?: boolean; plan?: Plan },
): Program {
  const { config } = model;
  const weights = boundWeights(model);
  return remembered(["capture", weights.key, batch, pos, sites, logits], plan, () => {
    for (const site of sites) findSite(config, site);
    const tokens = input("tokens", "int32", [batch, pos]);
    const changes = tapOf(plan, batch);
    const outputs: Record<string, Value> = {};
    // The whole model is described and only what the outputs need is lowered.
    const out = forward(config, weights.values, tokens, {
      tap: (site, value) => {
        const changed = changes.tap(site, value);
        if (sites.includes(site)) outputs[site] = changed;
        return changed;
      },
    });
    changes.check(sites.filter((site) => outputs[site] === undefined));
    if (logits) outputs.logits = out.logits;
    return program({ inputs: [tokens, ...weights.inputs, ...changes.inputs], outputs });
  });
}

function outputShapes(
  { config }: Model,
  { sites, logits }: { sites: readonly string[]; logits: boolean },
  pos: number,
): Record<string, number[]> {
  const shapes = sites.map((site) => [
    site,
    siteAt(config, site, { batch: 1, pos }).shape.slice(1),
  ]);
  if (logits) shapes.push(["logits", [pos, config.d_vocab]]);
  return Object.fromEntries(shapes);
}
