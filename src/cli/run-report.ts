// What does a model make of a prompt, without and with interventions, and what would random directions have done?
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import {
  type Cache,
  compareLogits,
  type Feeds,
  feedSites,
  type Intervention,
  interventionHash,
  logProbabilities,
  matchSites,
  runWithCache,
  type SerialIntervention,
  serialInterventions,
  withRandomDirections,
} from "../hooks/index.ts";
import { findSite, type Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TokenPiece } from "../text/tokenizer.ts";
import { readPrompt, tokensOf } from "./read-session.ts";

/** Value beside its control. */
export interface Effect {
  /** KL(clean ‖ changed), mean over positions, nats. */
  kl: number;
  /** Change of −log p(next token), mean, nats. */
  dCE: number;
  /** Share of positions whose likeliest token is another one. */
  turned: number;
}

export interface SiteReport {
  axes: readonly string[];
  /** Euclidean length of the value at each position. */
  norms?: { clean: number[]; changed?: number[] };
  /** [head][query][key]. */
  pattern?: { clean: number[][][]; changed?: number[][][] };
}

export interface RunReport {
  model: string;
  tokens: (TokenPiece & { id: number })[];
  interventions: readonly SerialIntervention[];
  hash: string | null;
  /** After the last token, most likely first; of either run's best. */
  next: (TokenPiece & { id: number; clean: number; changed?: number })[];
  /** −log p of each token given those before; null for the first. */
  loss: { clean: (number | null)[]; changed?: (number | null)[] };
  effect: (Effect & { kl_at: number[] }) | null;
  /** Directions of the same norm, drawn at random, in place of those that are steered along. */
  control: { directions: number; mean: Effect; least: Effect; most: Effect } | null;
  sites: Record<string, SiteReport>;
}

export interface RunOptions {
  prompt: string;
  sites: readonly string[];
  interventions: readonly Intervention[];
  /** Other prompts whose values interventions read, by the names of their feeds. */
  prompts?: Readonly<Record<string, string>>;
  top: number;
  seed: number;
}

const nControls = 8;

export async function runReport(
  model: Model,
  backend: Backend,
  { prompt, sites: patterns, interventions, prompts = {}, top, seed }: RunOptions,
): Promise<RunReport> {
  const { config } = model;
  const { ids, tokens, pieces } = readPrompt(model, prompt);
  const sites = patterns.length === 0 ? [] : matchSites(config, patterns);
  const run = (by: readonly Intervention[], feeds: Feeds) =>
    runWithCache(model, backend, tokens, { sites, logits: true, interventions: by, feeds });
  const feeds = await promptFeeds(
    model,
    backend,
    { clean: prompt, ...prompts },
    interventions,
    ids.length,
  );
  const clean = await run([], {});
  const changed = interventions.length === 0 ? undefined : await run(interventions, feeds);

  const moved = changed && compareLogits(clean.logits!, changed.logits!, tokens);
  const controls: Effect[] = [];
  const rng = random(seed);
  if (interventions.some(({ kind }) => kind === "steer"))
    for (let i = 0; i < nControls; i++) {
      const by = withRandomDirections(interventions, rng, { feeds });
      const { logits } = await run(by, feeds);
      controls.push(compareLogits(clean.logits!, logits!, tokens).means);
    }
  return {
    model: config.name,
    tokens: [...pieces],
    interventions: changed ? serialInterventions(interventions) : [],
    hash: changed ? interventionHash(interventions) : null,
    next: nextTokens(model, [clean.logits!, changed?.logits], top),
    loss: {
      clean: losses(clean.logits!, ids),
      ...(changed && { changed: losses(changed.logits!, ids) }),
    },
    effect: moved ? { ...moved.means, kl_at: [...moved.kl] } : null,
    control:
      controls.length === 0
        ? null
        : {
            directions: controls.length,
            mean: over(controls, (all) => all.reduce((a, b) => a + b) / all.length),
            least: over(controls, (all) => Math.min(...all)),
            most: over(controls, (all) => Math.max(...all)),
          },
    sites: Object.fromEntries(
      sites.map((site) => [site, siteReport(model, site, clean.cache, changed?.cache)]),
    ),
  };
}

/** Runs the prompts that interventions read, no further than the sites they read. */
async function promptFeeds(
  model: Model,
  backend: Backend,
  prompts: Readonly<Record<string, string>>,
  interventions: readonly Intervention[],
  length: number,
): Promise<Record<string, Cache>> {
  const feeds: Record<string, Cache> = {};
  for (const [name, prompt] of Object.entries(prompts)) {
    const sites = feedSites(model.config, interventions, name);
    if (sites.length === 0) {
      check(name === "clean", "intervention/feed", "no intervention reads this feed", {
        got: name,
      });
      continue;
    }
    const { ids, tokens } = readPrompt(model, prompt);
    check(ids.length === length, "text/length", "the other prompt has another number of tokens", {
      where: `feed ${name}`,
      got: ids.length,
      wanted: length,
    });
    feeds[name] = (await runWithCache(model, backend, tokens, { sites })).cache;
  }
  return feeds;
}

function over(all: readonly Effect[], of: (values: number[]) => number): Effect {
  return {
    kl: of(all.map(({ kl }) => kl)),
    dCE: of(all.map(({ dCE }) => dCE)),
    turned: of(all.map(({ turned }) => turned)),
  };
}

function nextTokens(
  model: Model,
  [clean, changed]: [Tensor, Tensor | undefined],
  top: number,
): RunReport["next"] {
  const { tokenizer, config } = model;
  const last = clean.shape[1]! - 1;
  const before = logProbabilities(clean, last, config.d_vocab);
  const after = changed && logProbabilities(changed, last, config.d_vocab);
  const best = (of: Float64Array) =>
    Array.from(of, (_, id) => id)
      .sort((a, b) => of[b]! - of[a]!)
      .slice(0, top);
  const ids = [...new Set([...best(before), ...(after ? best(after) : [])])];
  // A vocabulary can be padded beyond what the tokenizer knows.
  const known = ids.filter((id) => tokenizer === undefined || id < tokenizer.d_vocab);
  return tokensOf(model, known)
    .map((token) => ({
      ...token,
      clean: Math.exp(before[token.id]!),
      ...(after && { changed: Math.exp(after[token.id]!) }),
    }))
    .sort((a, b) => b.clean - a.clean);
}

function losses(logits: Tensor, ids: Int32Array): (number | null)[] {
  const d_vocab = logits.shape[2]!;
  return Array.from(ids, (id, i) =>
    i === 0 ? null : -logProbabilities(logits, i - 1, d_vocab)[id]!,
  );
}

/** Values of a site of one prompt or image: matrices of attention, or lengths. */
export function siteReport(model: Model, site: string, clean: Cache, changed?: Cache): SiteReport {
  const { axes } = findSite(model.config, site).row;
  const both = <T>(of: (value: Tensor) => T) => ({
    clean: of(clean[site]!),
    ...(changed && { changed: of(changed[site]!) }),
  });
  if (axes.includes("query") && axes.includes("key")) return { axes, pattern: both(matrices) };
  return { axes, norms: both(norms) };
}

// value: [1, head, query, key]
function matrices({ shape, data }: Tensor): number[][][] {
  const [, heads, n] = shape as [number, number, number, number];
  const row = (at: number) => Array.from((data as Float32Array).subarray(at * n, (at + 1) * n));
  return Array.from({ length: heads }, (_, h) =>
    Array.from({ length: n }, (_, q) => row(h * n + q)),
  );
}

// value: [1, pos, …]
function norms({ shape, data }: Tensor): number[] {
  const pos = shape[1]!;
  const width = data.length / pos;
  return Array.from({ length: pos }, (_, p) => {
    let sum = 0;
    for (const x of (data as Float32Array).subarray(p * width, (p + 1) * width)) sum += x * x;
    return Math.sqrt(sum);
  });
}
