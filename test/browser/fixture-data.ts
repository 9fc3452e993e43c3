// Seeded rows, pages, claims and runs that conform to the contract.
import type {
  Claim,
  DictionarySummary,
  Estimate,
  FeaturePage,
  FeatureRow,
  Reading,
  Verdict,
} from "../../src/api/types.ts";
import { verdictOf } from "../../src/evidence/claim.ts";
import { contexts, hostile, rng, samples, toStrip } from "./fixture-text.ts";

export const dictionaryId = "field-1l-sae-2048-k32-s0";
export const pendingId = "field-1l-sae-2048-k32-s1";
export const neuronsId = "field-1l-neurons-blocks.0.mlp.hook_post";
const d_sae = 2048;
export const site = "blocks.0.mlp.hook_post";
const n_tokens = 1_050_000;
export const deadFeature = 77;
export const failingFeature = 15;

export const clamp = (x: number, a: number, b: number): number => Math.min(b, Math.max(a, x));
const around = (value: number, half: number): Estimate => ({
  value,
  low: value - half,
  high: value + half,
});

export function claimOf(
  id: string,
  statement: string,
  value: number,
  half: number,
  control: [number, number, number] | null,
  more: Partial<Claim> = {},
): Claim {
  const parts: Omit<Claim, "verdict"> = {
    id,
    statement,
    metric: id,
    better: "higher",
    estimate: around(value, half),
    control: control && {
      value: control[0],
      low: control[1],
      high: control[2],
      kind: "permuted-weights",
      draws: 8,
    },
    baselines: [],
    chosen_on: "select",
    judged_on: "eval",
    n: 131_204,
    n_documents: 412,
    n_tried: d_sae,
    margin: 0.25,
    seeds: [0],
    ...more,
  };
  return { ...parts, verdict: verdictOf(parts) };
}

export function readingOf(
  value: number,
  half: number,
  neuron: number,
  control: number | null,
): Reading {
  const c =
    control === null
      ? null
      : {
          value: control,
          low: Math.max(0, control - 0.04),
          high: control + 0.05,
          kind: "permuted-weights" as const,
          draws: 8,
        };
  const verdict: Verdict =
    c === null
      ? "pending"
      : value <= c.high
        ? "fails"
        : value >= control! + 0.25 && value >= neuron
          ? "holds"
          : "undecided";
  return { estimate: around(value, half), control: c, neuron, verdict };
}

export function rowOf(index: number, pending: boolean): FeatureRow {
  const r = rng(index * 7919 + 13);
  const sample = samples[index % samples.length]!;
  const first = index < samples.length;
  if (index === deadFeature)
    return {
      index,
      name: null,
      best_context: null,
      reading: null,
      density: 0,
      peak: 0,
      dead: true,
      activation: new Array(16).fill(0),
      weak_to_strong: new Array(11).fill(null),
      example: null,
      next_token: null,
    };
  const worth = first ? sample.r : clamp(0.04 + 0.55 * r() ** 2.4, 0.02, 0.7);
  const value = index === failingFeature ? 0.09 : worth;
  const peak = first ? sample.peak : 2 + 7 * r();
  const density = first ? sample.density : 10 ** (-4.6 + 2.7 * r());
  const hump = Math.max(0, worth - 0.2) * 2.4 * r();
  const where = 6 + 6 * r();
  const decay = 1.3 + 3 * r() ** 2;
  const activation = Array.from({ length: 16 }, (_, i) =>
    Math.round(
      n_tokens *
        density *
        (0.4 * Math.exp(-i / decay) + hump * 0.06 * Math.exp(-((i - where) ** 2) / 18)),
    ),
  );
  const top = worth > 0.7 ? 0.99 : 0.5 + 0.45 * worth;
  const middle = 6.5 - worth * 4 + 2 * (r() - 0.4);
  const weak = Array.from({ length: 11 }, (_, i) =>
    clamp(top / (1 + Math.exp(-(i - middle) / 1.2)) + 0.03 * (r() - 0.5), 0.02, 1),
  );
  const text =
    index % 41 === 40
      ? hostile[index % hostile.length]!
      : sample.texts[index % sample.texts.length]!;
  return {
    index,
    name: first
      ? sample.name
      : r() < 0.55
        ? `${sample.name ?? "a token"}, ${["weak", "after a comma", "at a line start", "rare", "in capitals"][index % 5]}`
        : null,
    best_context: sample.context,
    reading: readingOf(
      value,
      0.008 + 0.02 * r(),
      first ? sample.neuron : clamp(worth * (0.3 + 0.8 * r()), 0, 1),
      pending ? null : 0.04 + 0.08 * r(),
    ),
    density,
    peak,
    dead: false,
    activation,
    weak_to_strong: weak,
    example: toStrip(text, peak, index + 3, sample.context),
    next_token: { text: sample.next },
  };
}

const wilson = (share: number, n: number): Estimate => {
  const half = 1.96 * Math.sqrt((share * (1 - share) + 0.25 / Math.max(n, 4)) / Math.max(n, 4));
  return { value: share, low: Math.max(0, share - half), high: Math.min(1, share + half) };
};

export function pageOf(index: number, pending: boolean): FeaturePage {
  const row = rowOf(index, pending);
  const r = rng(index * 31 + 5);
  const sample = samples[index % samples.length]!;
  const control = (v: number, w = 0.045): [number, number, number] | null =>
    pending ? null : [v, Math.max(0, v - w), v + w];
  const counts = [1902, 1204, 902, 731, 604, 512, 420, 301, 188, 96, 31];
  const width = row.peak / 11;
  const others = samples.filter((x) => x.context !== sample.context);
  const intervals = counts
    .map((n, i) => {
      const share = row.weak_to_strong[i] ?? 0;
      const examples = Array.from({ length: i >= 8 ? 3 : 2 }, (_, j) => {
        const own = r() < share + 0.1;
        const from = own ? sample : others[Math.floor(r() * others.length)]!;
        const value = width * (i + 0.15 + 0.8 * r());
        const source =
          index % 5 === 0 && i === 4 && j === 0
            ? hostile[0]!
            : from.texts[(i + j) % from.texts.length]!;
        // Weak examples are mostly one or two tokens.
        const thin =
          i > 4
            ? source
            : source.replace(/⟦([^⟧]*)⟧/g, (_m, inner: string) => {
                const parts = inner.split("|");
                const at = parts.findIndex((p) => p.startsWith("*"));
                if (at < 0) return parts.map((p) => p.replace("_", "")).join("");
                return `${parts.slice(0, at).join("")}⟦${parts[at]}⟧${parts
                  .slice(at + 1)
                  .map((p) => p.replace("_", ""))
                  .join("")}`;
              });
        return toStrip(
          thin,
          Number(Math.min(value, row.peak).toFixed(3)),
          index * 100 + i * 10 + j,
          from.context,
        );
      }).sort((a, b) => b.value - a.value);
      return {
        low: width * i,
        high: width * (i + 1),
        n,
        share: wilson(share, n),
        control: pending ? null : wilson(0.21, n),
        examples,
      };
    })
    .reverse();
  if (intervals.length > 0 && !row.dead) intervals[0]!.examples[0]!.value = row.peak;
  const bins = 44;
  const histogram = Array.from({ length: bins }, (_, i) => {
    const p = clamp(((i + 0.5) / bins) * 11 - 0.5, 0, 10);
    const k = Math.min(9, Math.floor(p));
    const at = Math.exp(
      Math.log(counts[k]! / 4) * (1 - p + k) + Math.log(counts[k + 1]! / 4) * (p - k),
    );
    return Math.round(at * (0.92 + 0.16 * r()));
  });
  const values = histogram.map((c, i) => c * (i + 0.5));
  const whole = values.reduce((a, b) => a + b, 0);
  const value = row.reading?.estimate.value ?? 0;
  const neuron = row.reading?.neuron ?? 0;
  const best = { kind: "best-neuron" as const, unit: 311, ...around(neuron, 0.02) };
  const table = { kind: "token-table" as const, unit: null, ...around(neuron * 0.8, 0.02) };
  const probe = {
    kind: "linear-probe" as const,
    unit: null,
    ...around(clamp(value + 0.06, 0, 0.98), 0.01),
  };
  const reads = [sample.context, ...others.slice(0, 5).map((x) => x.context)];
  const dead = row.dead;
  return {
    dictionary: pending ? pendingId : dictionaryId,
    revision: pending ? 1 : 3,
    index,
    name: row.name,
    statement: dead
      ? "It has not fired in 1.05 M tokens, so nothing can be shown of what it means."
      : `Fires inside ${sample.context.replace("-", " ")}, most on “${sample.next.trim()}” and what stands beside it; ${Math.round(100 * (row.weak_to_strong[0] ?? 0))} % of its weakest activations lie there.`,
    site,
    d_sae,
    density: dead ? { value: 0, low: 0, high: 2.9e-6 } : around(row.density, row.density * 0.03),
    n_tokens,
    peak: row.peak,
    dead,
    best_context: row.best_context,
    characteristic: dead
      ? { current: [], previous: [] }
      : {
          current: [sample.next, "zK", "Yf", "p3", "Lw"].map((text, i) => ({
            piece: { text },
            share: 0.11 * 0.6 ** i,
          })),
          previous: ["-", '"', "r8", " ", "=="].map((text, i) => ({
            piece: { text },
            share: 0.19 * 0.6 ** i,
          })),
        },
    claims: dead
      ? []
      : [
          claimOf(
            "r_given_token",
            `correlation with ${sample.context}, given the token`,
            value,
            0.012,
            control(0.06),
            { baselines: [best, table, probe] },
          ),
          claimOf(
            "r",
            `correlation with ${sample.context}`,
            clamp(value + 0.02, 0, 1),
            0.011,
            control(0.11, 0.06),
            { baselines: [best] },
          ),
          claimOf(
            "precision",
            "precision at half its peak",
            clamp(value + 0.11, 0, 0.99),
            0.011,
            control(0.31, 0.1),
          ),
          claimOf("recall", "recall at half its peak", value * 0.7, 0.02, control(0.04, 0.03)),
          claimOf(
            "weight",
            "weight inside its best context",
            clamp(value - 0.02, 0, 1),
            0.01,
            control(0.21, 0.08),
          ),
          claimOf(
            "auroc",
            "told from base64 of digits, AUROC",
            0.55 + 0.3 * value,
            0.05,
            control(0.52, 0.07),
            { margin: 0.3 },
          ),
        ],
    activation: {
      histogram: {
        edges: Array.from({ length: bins + 1 }, (_, i) => (row.peak * i) / bins),
        counts: dead ? new Array(bins).fill(0) : histogram,
      },
      value_share: dead ? new Array(bins).fill(0) : values.map((v) => v / whole),
      control:
        pending || dead
          ? null
          : histogram.map((_, i) => Math.round(900 * Math.exp((-(i + 0.5) / bins) * 12))),
    },
    intervals: dead ? [] : intervals,
    top: dead ? [] : intervals[0]!.examples,
    quantile_bands: dead
      ? []
      : Array.from({ length: 5 }, (_, i) => ({
          low: [0, 0.8, 1.7, 3.1, 5][i]! * (row.peak / 10),
          high: [0.8, 1.7, 3.1, 5, 10][i]! * (row.peak / 10),
          n: 1378,
          share: wilson(clamp(0.3 + 0.18 * i, 0, 1) * clamp(value + 0.2, 0, 1), 1378),
          control: pending ? null : wilson(0.2, 1300),
        })),
    contexts: dead
      ? []
      : reads.map((context, i) => {
          const v = i === 0 ? value : [0.19, 0.11, 0.24, 0.03, -0.01][i - 1]!;
          const c = (id: string, x: number, ctl: number) =>
            claimOf(`${context}.${id}`, `${id} with ${context}`, x, 0.02, control(ctl), {
              baselines: [{ ...best, value: v * 0.6, low: null, high: null }],
            });
          return {
            context,
            n: 21_400 - 1800 * i,
            threshold: row.peak / 2,
            r: c("r", v + 0.01, 0.07),
            r_given_token: c("r_given_token", v, 0.05),
            precision: c("precision", clamp(v + 0.1, 0, 1), 0.2),
            recall: c("recall", clamp(v * 0.7, 0, 1), 0.05),
          };
        }),
    n_contexts: contexts.length,
    logits: {
      up: [sample.next, "gW", "Qk", "/L", "mV"].map((text, i) => ({
        token: 40 + i,
        piece: { text },
        value: 2.41 - 0.11 * i,
      })),
      down: [" the", ",", " of", "\n", " and"].map((text, i) => ({
        token: 90 + i,
        piece: { text },
        value: -1.38 + 0.12 * i,
      })),
      histogram: {
        edges: Array.from({ length: 61 }, (_, i) => -1.4 + (3.81 * i) / 60),
        counts: Array.from({ length: 60 }, (_, i) =>
          Math.round(
            400 * Math.exp(-(((i - 22) / 6.5) ** 2) / 2) +
              (i > 44 ? 9 * Math.exp(-(i - 45) / 6) : 0),
          ),
        ),
      },
      kurtosis: 6.8,
    },
    nearest: [6, 7, 1, 15, 23, 2]
      .filter((i) => i !== index)
      .map((i, k) => ({
        index: i,
        name: samples[i]?.name ?? null,
        cosine: 0.61 - 0.09 * k,
        r: k === 5 ? null : 0.22 - 0.04 * k,
      })),
    neurons: {
      top: [
        [311, 0.118],
        [87, 0.094],
        [440, -0.071],
        [19, 0.064],
        [502, -0.049],
      ].map(([n, share]) => ({ neuron: n!, share: share! })),
      rest: { neurons: 507, share: 0.604 },
      participation: 46,
      participation_random: 163,
      best: { neuron: 311, r: neuron },
    },
  };
}

/** The same features, as if they were the layer's neurons. */
export function neuronSummary(): DictionarySummary {
  const architecture = "neurons";
  return { ...summaryOf(false), id: neuronsId, unit: "neuron", threshold: 0, architecture };
}

export function summaryOf(pending: boolean): DictionarySummary {
  const c = (v: number, w: number): [number, number, number] | null =>
    pending ? null : [v, v - w, v + w];
  const lower = { better: "lower" as const, margin: 0 };
  const base = (kind: Claim["baselines"][number]["kind"], v: number) => ({
    kind,
    unit: null,
    value: v,
    low: null,
    high: null,
  });
  return {
    id: pending ? pendingId : dictionaryId,
    model: "field-1l",
    site,
    unit: "feature",
    threshold: null,
    architecture: "topk",
    d_in: 512,
    d_sae,
    k: 32,
    seed: pending ? 1 : 0,
    tokens: 10_000_000,
    revision: pending ? 1 : 3,
    state: pending ? "described" : "controlled",
    n_tokens,
    contexts: [...contexts],
    claims: [
      claimOf("dCE", "ΔCE, dictionary spliced in", 0.032, 0.003, c(0.41, 0.03), {
        ...lower,
        baselines: [base("data-points", 0.113), base("pca", 0.62), base("top-neurons", 0.85)],
      }),
      claimOf("FVU", "FVU", 0.118, 0.004, c(0.37, 0.01), {
        ...lower,
        baselines: [base("data-points", 0.29)],
      }),
      claimOf("CE_recovered", "CE recovered", 0.984, 0.002, c(0.71, 0.02), {
        margin: 0.1,
        baselines: [base("data-points", 0.972)],
      }),
      claimOf("L0", "L0", 31.9, 0.1, c(32, 0.05), { ...lower, baselines: [] }),
      claimOf("dead", "dead", 0.042, 0.006, c(0.03, 0.01), lower),
    ],
    alive: d_sae - 1,
    dead: 1,
  };
}
