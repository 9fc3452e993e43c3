// A small world of pages for tests and the bench: made-up features, stored as real bundles are.
import { bundleWriter } from "../analysis/bundle.ts";
import type { DictionarySummary, FeaturePage, FeatureRow, Strip } from "../analysis/page.ts";
import { random } from "../base/random.ts";
import type { Claim, Verdict } from "../evidence/claim.ts";
import { layout } from "../workspace/layout.ts";
import type { Workspace } from "../workspace/workspace.ts";

export const worldId = "world-sae-64-k4-s0";
const contexts = ["base64", "hebrew", "contract", "latex"];

export async function writeWorld(
  workspace: Workspace,
  {
    id = worldId,
    d_sae = 64,
    revision = 0,
    model = "world",
    unit = "feature",
    threshold = null,
    inputs = {},
  }: Partial<
    Pick<DictionarySummary, "id" | "d_sae" | "revision" | "model" | "unit" | "threshold">
  > & {
    inputs?: Record<string, string>;
  } = {},
): Promise<{ rows: FeatureRow[]; summary: DictionarySummary }> {
  const rows = Array.from({ length: d_sae }, (_, index) => featureRow(index));
  const whole = summaryOf(id, { d_sae, revision, model, rows });
  const summary: DictionarySummary = { ...whole, unit, threshold };
  const writer = await bundleWriter(workspace.store, layout.bundle(id), revision);
  for (const row of rows) await writer.page(featurePage(row, { id, d_sae, revision }));
  await writer.finish({ rows, summary, inputs });
  return { rows, summary };
}

/** Feature i: context i mod 4, r falling with i, every eighth one dead, no reading for i ≡ 5 mod 8. */
export function featureRow(index: number): FeatureRow {
  const dead = index % 8 === 7;
  const context = contexts[index % 4]!;
  const verdicts: Verdict[] = ["holds", "fails", "undecided", "pending"];
  const silent = dead || index % 8 === 5;
  return {
    index,
    name: silent ? null : `fires on ${context}`,
    best_context: silent ? null : context,
    reading: silent
      ? null
      : {
          estimate: { value: 1 - index / 100, low: 0.9 - index / 100, high: 1 },
          control: { value: 0.1, low: 0, high: 0.2, kind: "permuted-weights", draws: 1 },
          neuron: index % 3 === 0 ? null : (index % 10) / 10,
          verdict: verdicts[index % 4]!,
        },
    density: dead ? 0 : 10 ** -(1 + (index % 5)),
    peak: dead ? 0 : 1 + (index % 7),
    dead,
    activation: Array.from({ length: 16 }, (_, i) => 16 - i),
    weak_to_strong: Array.from({ length: 11 }, (_, i) => (i === 3 ? null : i / 10)),
    example: silent ? null : strip(index),
    next_token: silent ? null : { text: ` next${index}` },
  };
}

function strip(index: number): Strip {
  const rng = random(index);
  const pieces = Array.from({ length: 24 }, (_, i) => ({ text: ` w${rng.int(500)}x${i}` }));
  pieces[7] = { text: ` Peak${index}` };
  const acts = pieces.map((_, i) => (i === 7 ? 3 : i === 8 ? 1 : 0));
  return {
    pieces,
    acts,
    peak: 7,
    value: 3,
    dir: "ltr",
    context: contexts[index % 4]!,
    document: `doc-${index}`,
  };
}

function claim(id: string, value: number): Claim {
  return {
    id,
    statement: `${id} of the world`,
    metric: id,
    better: "higher",
    estimate: { value, low: value - 0.1, high: value + 0.1 },
    control: null,
    baselines: [],
    chosen_on: "select",
    judged_on: "eval",
    n: 1000,
    n_documents: 12,
    n_tried: 64,
    margin: 0.25,
    seeds: [0],
    verdict: "pending",
  };
}

/** As heavy as a real one: eleven intervals of four examples. */
export function featurePage(
  row: FeatureRow,
  { id, d_sae, revision }: { id: string; d_sae: number; revision: number },
): FeaturePage {
  const { index, name, density, peak, dead, best_context } = row;
  const histogram = { edges: [0, 1, 2], counts: [5, 3] };
  const band = { low: 0, high: 1, n: 10, share: null, control: null };
  const examples = Array.from({ length: 4 }, (_, i) => strip(index + i));
  return {
    dictionary: id,
    revision,
    index,
    name,
    statement: name ?? "nothing can be said",
    site: "blocks.0.mlp.hook_post",
    d_sae,
    density: { value: density, low: null, high: null },
    n_tokens: 100_000,
    peak,
    dead,
    best_context,
    characteristic: { current: [{ piece: { text: " the" }, share: 0.5 }], previous: [] },
    claims: [claim("r_given_token", 0.8)],
    activation: { histogram, value_share: [0.4, 0.6], control: null },
    intervals: Array.from({ length: 11 }, () => ({ ...band, examples })),
    top: examples,
    quantile_bands: [band],
    contexts: contexts.map((context) => ({
      context,
      n: 100,
      r: claim("r", 0.7),
      r_given_token: claim("r_given_token", 0.8),
      precision: claim("precision", 0.9),
      recall: claim("recall", 0.6),
      threshold: 0.5,
    })),
    n_contexts: contexts.length,
    logits: {
      up: [{ token: 1, piece: { text: " up" }, value: 1 }],
      down: [{ token: 2, piece: { text: " down" }, value: -1 }],
      histogram,
      kurtosis: 3,
    },
    nearest: [{ index: (index + 1) % d_sae, name: null, cosine: 0.3, r: null }],
    neurons: {
      top: [{ neuron: 3, share: 0.2 }],
      rest: { neurons: 511, share: 0.8 },
      participation: 40,
      participation_random: 200,
      best: null,
    },
  };
}

function summaryOf(
  id: string,
  parts: { d_sae: number; revision: number; model: string; rows: FeatureRow[] },
): DictionarySummary {
  const { d_sae, revision, model, rows } = parts;
  const dead = rows.filter((row) => row.dead).length;
  return {
    id,
    model,
    site: "blocks.0.mlp.hook_post",
    unit: "feature",
    threshold: null,
    architecture: "topk",
    d_in: 8,
    d_sae,
    k: 4,
    seed: 0,
    tokens: 1000,
    revision,
    state: "interim",
    n_tokens: 100_000,
    contexts,
    claims: [claim("L0", 4)],
    alive: d_sae - dead,
    dead,
  };
}
