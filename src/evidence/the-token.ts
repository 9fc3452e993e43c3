// Does the same word mean a different feature in another field? "the" in mathematics, "the" in a contract.
import type { Random } from "../base/random.ts";
import type { FeatureColumns } from "../dictionaries/sparse.ts";
import { auroc, aurocInterval } from "./auroc.ts";
import { percentileInterval } from "./bootstrap.ts";
import { type Baseline, type Claim, type Control, claim, type Estimate } from "./claim.ts";
import { columnOf, type Ground } from "./judge.ts";
import type { LabelledTokens } from "./labels.ts";

/** Occurrences of the word on one split, and whether each lies in the field. */
export interface Occurrences {
  readonly at: Uint32Array;
  readonly inField: Uint8Array;
}

/** `tokens` are the ids of the word (with and without space); `field` the contexts that count as one. */
export function occurrences(
  split: LabelledTokens,
  tokens: ReadonlySet<number>,
  field: ReadonlySet<string>,
): Occurrences {
  const at: number[] = [];
  for (let t = 0; t < split.tokens.length; t++) if (tokens.has(split.tokens[t]!)) at.push(t);
  return {
    at: Uint32Array.from(at),
    inField: Uint8Array.from(at, (t) => (field.has(split.contexts[split.context[t]!]!) ? 1 : 0)),
  };
}

/** A unit's activation at each occurrence. */
export function activationsAt(
  columns: FeatureColumns,
  unit: number,
  { at }: Occurrences,
): Float32Array {
  const { token, value } = columnOf(columns, unit);
  const out = new Float32Array(at.length);
  for (let i = 0, j = 0; i < token.length && j < at.length; i++) {
    while (j < at.length && at[j]! < token[i]!) j++;
    if (at[j] === token[i]) out[j] = value[i]!;
  }
  return out;
}

/** The columns at these occurrences only: small enough to keep when the rest is let go. */
export function columnsAt(columns: FeatureColumns, { at }: Occurrences): FeatureColumns {
  const wanted = new Uint8Array(columns.n_tokens);
  for (const t of at) wanted[t] = 1;
  const offsets = new Float64Array(columns.d_sae + 1);
  const token: number[] = [];
  const value: number[] = [];
  for (let f = 0; f < columns.d_sae; f++) {
    for (let i = columns.offsets[f]!; i < columns.offsets[f + 1]!; i++) {
      if (wanted[columns.token[i]!] === 0) continue;
      token.push(columns.token[i]!);
      value.push(columns.value[i]!);
    }
    offsets[f + 1] = token.length;
  }
  return { ...columns, offsets, token: Uint32Array.from(token), value: Float32Array.from(value) };
}

/** The unit with the largest AUROC on select; units that are silent on the word are not looked at. */
export function bestUnit(
  columns: FeatureColumns,
  found: Occurrences,
): { unit: number; auroc: number; tried: number } {
  let best = { unit: -1, auroc: 0.5 };
  for (let unit = 0; unit < columns.d_sae; unit++) {
    const acts = activationsAt(columns, unit, found);
    if (!acts.some((a) => a > 0)) continue;
    const area = auroc(acts, found.inField);
    if (area > best.auroc) best = { unit, auroc: area };
  }
  return { ...best, tried: columns.d_sae };
}

/** P(field | previous token) on select, with one pseudo-count at the base rate; unseen ones get the base rate. */
export function bigramTable(
  split: LabelledTokens,
  found: Occurrences,
): (of: LabelledTokens, where: Occurrences) => Float32Array {
  const base = found.inField.reduce((sum, y) => sum + y, 0) / Math.max(1, found.at.length);
  const counts = new Map<number, [n: number, hits: number]>();
  const previous = (of: LabelledTokens, t: number): number =>
    t > 0 && of.doc[t - 1] === of.doc[t] ? of.tokens[t - 1]! : -1;
  found.at.forEach((t, i) => {
    const key = previous(split, t);
    const [n, hits] = counts.get(key) ?? [0, 0];
    counts.set(key, [n + 1, hits + found.inField[i]!]);
  });
  return (of, where) =>
    Float32Array.from(where.at, (t) => {
      const [n, hits] = counts.get(previous(of, t)) ?? [0, 0];
      return (hits + base) / (n + 1);
    });
}

export interface TheToken {
  claim: Claim;
  feature: number;
  selected: number;
  n: number;
  n_field: number;
}

export interface UnitPairColumns {
  select: FeatureColumns;
  eval: FeatureColumns;
}

/**
 * AUROC on eval of the feature chosen on select. `control` are the same procedure's columns on the permuted
 * model; `neurons` those of the layer. The bigram table is context, not a rival: text tells fields apart too.
 */
export function theToken(
  units: UnitPairColumns,
  ground: Ground,
  options: {
    name: string;
    tokens: ReadonlySet<number>;
    field: readonly string[];
    control?: UnitPairColumns;
    neurons?: UnitPairColumns;
    seed?: number;
  },
): TheToken | null {
  const { name, tokens, control, neurons, seed = 0 } = options;
  const field = new Set(options.field);
  const there = occurrences(ground.select, tokens, field);
  const here = occurrences(ground.eval, tokens, field);
  const docs = Int32Array.from(here.at, (t) => ground.eval.doc[t]!);
  const judge = (score: ArrayLike<number>): Estimate =>
    aurocInterval(score, here.inField, docs, ground.resamples);
  const run = (pair: UnitPairColumns): { unit: number; selected: number; estimate: Estimate } => {
    const { unit, auroc: selected } = bestUnit(pair.select, there);
    const acts = unit < 0 ? new Float32Array(here.at.length) : activationsAt(pair.eval, unit, here);
    return { unit, selected, estimate: judge(acts) };
  };
  const n_field = here.inField.reduce((sum, y) => sum + y, 0);
  if (n_field === 0 || n_field === here.at.length) return null;
  const own = run(units);
  const baselines: Baseline[] = [
    {
      ...judge(bigramTable(ground.select, there)(ground.eval, here)),
      kind: "bigram-table",
      unit: null,
    },
  ];
  if (neurons !== undefined) {
    const rival = run(neurons);
    baselines.push({ ...rival.estimate, kind: "best-neuron", unit: rival.unit });
  }
  const null_: Control | null =
    control === undefined ? null : { ...run(control).estimate, kind: "permuted-weights", draws: 1 };
  return {
    feature: own.unit,
    selected: own.selected,
    n: here.at.length,
    n_field,
    claim: claim({
      id: `the-token/${name}`,
      statement: `feature ${own.unit} tells "the" in ${name} from "the" elsewhere`,
      metric: "auroc",
      better: "higher",
      estimate: own.estimate,
      control: null_,
      baselines,
      chosen_on: "select",
      judged_on: "eval",
      n: here.at.length,
      n_documents: new Set(docs).size,
      n_tried: units.select.d_sae,
      margin: 0,
      seeds: [seed],
    }),
  };
}

/**
 * The field's nouns: tokens that follow the word more often in the field's select documents than elsewhere, by
 * log ratio of smoothed rates, weighted by how often (a G-like score). Special tokens are left out by `keep`.
 */
export function fieldNouns(
  select: LabelledTokens,
  found: Occurrences,
  {
    n = 20,
    min = 3,
    keep = () => true,
  }: { n?: number; min?: number; keep?: (v: number) => boolean } = {},
): number[] {
  const inside = new Map<number, number>();
  const outside = new Map<number, number>();
  const total = [0, 0];
  found.at.forEach((t, i) => {
    if (t + 1 >= select.tokens.length || select.doc[t + 1] !== select.doc[t]) return;
    const next = select.tokens[t + 1]!;
    const side = found.inField[i] === 1 ? inside : outside;
    side.set(next, (side.get(next) ?? 0) + 1);
    total[found.inField[i]!]!++;
  });
  const score = (v: number): number => {
    const a = inside.get(v) ?? 0;
    const p = (a + 0.5) / (total[1]! + 1);
    const q = ((outside.get(v) ?? 0) + 0.5) / (total[0]! + 1);
    return a * Math.log(p / q);
  };
  return [...inside.keys()]
    .filter((v) => inside.get(v)! >= min && keep(v) && score(v) > 0)
    .sort((a, b) => score(b) - score(a) || a - b)
    .slice(0, n);
}

/**
 * Do a feature's logit weights raise these tokens? Mean logit weight over the nouns minus the mean over `others`
 * (frequent tokens after the word elsewhere), in standard deviations of the feature's own logit weights; the
 * interval is over resampled nouns, the control random other features, judged alike.
 */
export function raisesNouns(
  logits: ArrayLike<number>,
  nouns: readonly number[],
  others: readonly number[],
  controls: readonly ArrayLike<number>[],
  options: {
    name: string;
    feature: number;
    rng: Random;
    n_documents: number;
    seed?: number;
    draws?: number;
  },
): Claim {
  const { rng, draws = 512, seed = 0 } = options;
  const mean = (of: ArrayLike<number>, at: readonly number[]): number =>
    at.reduce((sum, v) => sum + of[v]!, 0) / at.length;
  const spread = (of: ArrayLike<number>): number => {
    let sum = 0;
    let square = 0;
    for (let v = 0; v < of.length; v++) {
      sum += of[v]!;
      square += of[v]! ** 2;
    }
    return Math.sqrt(square / of.length - (sum / of.length) ** 2) || 1;
  };
  const figure = (of: ArrayLike<number>, a = nouns, b = others): number =>
    (mean(of, a) - mean(of, b)) / spread(of);
  const again = (list: readonly number[]): number[] => list.map(() => rng.pick(list));
  const estimate = percentileInterval(figure(logits), draws, () =>
    figure(logits, again(nouns), again(others)),
  );
  const values = controls.map((of) => figure(of)).sort((a, b) => a - b);
  const control: Control | null =
    values.length === 0
      ? null
      : {
          value: values.reduce((sum, x) => sum + x, 0) / values.length,
          low: values[Math.floor(0.025 * (values.length - 1))]!,
          high: values[Math.ceil(0.975 * (values.length - 1))]!,
          kind: "density-matched",
          draws: values.length,
        };
  return claim({
    id: `the-token/${options.name}/nouns`,
    statement: `feature ${options.feature} raises the nouns of ${options.name}`,
    metric: "logit_weight_difference",
    better: "higher",
    estimate,
    control,
    baselines: [],
    chosen_on: "select",
    judged_on: "select",
    n: nouns.length,
    n_documents: options.n_documents,
    n_tried: 1,
    margin: 0,
    seeds: [seed],
  });
}
