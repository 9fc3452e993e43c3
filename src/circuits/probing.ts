// Is a label held in the activations, or could any probe learn any label? Linear probes beside control tasks.
import { check } from "../base/errors.ts";
import { type Random, random } from "../base/random.ts";
import {
  bootstrapInterval,
  type Estimate,
  fitProbe,
  type Probe,
  probeRows,
  probeScores,
  resampleDocuments,
  type Verdict,
} from "../evidence/index.ts";

/** One entry a token. */
export interface ProbeData {
  readonly acts: Float32Array; // [n, d]
  /** 0 to n_labels − 1. */
  readonly labels: ArrayLike<number>;
  readonly tokens: ArrayLike<number>;
  /** The document of each token: numbers from 0, of this split's own. */
  readonly doc: ArrayLike<number>;
}

export interface ProbingOptions {
  n_labels: number;
  ridge?: number;
  /** Control tasks, each with other random labels. */
  tasks?: number;
  /** Tokens to fit on, at most. */
  limit?: number;
  seed?: number;
}

export interface Probing {
  readonly probe: Probe;
  /** Share of eval tokens with the right label, with 95 % intervals over documents. */
  readonly accuracy: Estimate;
  /** The same probe on random labels, one a token type, as frequent as the true ones; mean over tasks. */
  readonly control: Estimate;
  /** accuracy − control: what the activations hold beyond what the probe could memorise. */
  readonly selectivity: Estimate;
  /** Always the label that is most frequent on select. */
  readonly majority: Estimate;
  /** The label that each token has most often on select: what needs no model. */
  readonly tokenTable: Estimate;
  readonly n_select: number;
  readonly n_eval: number;
  readonly n_documents: number;
  readonly tasks: number;
  /** `holds` where selectivity's interval, and the lead over the token table's, are above zero. */
  readonly verdict: Verdict;
}

/**
 * Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks": a linear probe (ridge,
 * `evidence/probe`) fitted on select and judged on eval, which must be other documents, beside the
 * same probe on labels that a token's type determines at random. Errors: `shape/size`,
 * `circuits/labels`.
 */
export function probeWithControl(
  select: ProbeData,
  judged: ProbeData,
  { n_labels, ridge, tasks = 3, limit = 20_000, seed = 0 }: ProbingOptions,
): Probing {
  const n = select.labels.length;
  check(n > 0 && judged.labels.length > 0, "circuits/labels", "there is nothing to probe");
  check(tasks > 0, "circuits/labels", "a probe stands beside a control task", { got: tasks });
  const d = select.acts.length / n;
  for (const { acts, labels, tokens, doc } of [select, judged]) {
    const fits =
      acts.length === labels.length * d &&
      tokens.length === labels.length &&
      doc.length === labels.length;
    check(fits, "shape/size", "activations, labels, tokens and documents differ in number", {
      got: [acts.length / d, labels.length, tokens.length, doc.length],
    });
    const odd = Array.from(labels).find((x) => !Number.isInteger(x) || x < 0 || x >= n_labels);
    check(odd === undefined, "circuits/labels", "a label is none of those", {
      got: odd,
      wanted: `0 to ${n_labels - 1}`,
    });
  }
  const rng = random(seed).stream("probing");
  const rows = probeRows(n, limit, rng.stream("rows"));
  const acts = new Float32Array(rows.length * d);
  for (const [i, t] of rows.entries()) acts.set(select.acts.subarray(t * d, (t + 1) * d), i * d);
  const learned = (labelOf: (t: number) => number): Probe =>
    fitProbe(acts, Array.from(rows, labelOf), { d, n_contexts: n_labels, ridge });

  const probe = learned((t) => select.labels[t]!);
  const own = hits(predicted(probe, judged.acts), (t) => judged.labels[t]!);
  const byChance = new Float64Array(own.length);
  for (let task = 0; task < tasks; task++) {
    const typed = randomLabels(select, rng.stream(`task ${task}`));
    const made = learned((t) => typed(select.tokens[t]!));
    const right = hits(predicted(made, judged.acts), (t) => typed(judged.tokens[t]!));
    for (let t = 0; t < right.length; t++) byChance[t]! += right[t]! / tasks;
  }
  const table = tokenTable(select, n_labels);
  const tabled = own.map((_, t) => (table.of(judged.tokens[t]!) === judged.labels[t]! ? 1 : 0));
  const most = own.map((_, t) => (table.majority === judged.labels[t]! ? 1 : 0));

  const n_docs = Array.from(judged.doc).reduce((top, x) => Math.max(top, x + 1), 0);
  const present = new Uint8Array(n_docs);
  for (let t = 0; t < own.length; t++) present[judged.doc[t]!] = 1;
  const resamples = resampleDocuments(present, rng.stream("documents"));
  const sums = (of: (t: number) => number): Float64Array => {
    const out = new Float64Array(n_docs);
    for (let t = 0; t < own.length; t++) out[judged.doc[t]!]! += of(t);
    return out;
  };
  const count = sums(() => 1);
  const mean = (of: (t: number) => number): Estimate =>
    bootstrapInterval([sums(of), count], ([sum, all]) => sum! / all!, resamples);
  const selectivity = mean((t) => own[t]! - byChance[t]!);
  return {
    probe,
    accuracy: mean((t) => own[t]!),
    control: mean((t) => byChance[t]!),
    selectivity,
    majority: mean((t) => most[t]!),
    tokenTable: mean((t) => tabled[t]!),
    n_select: rows.length,
    n_eval: own.length,
    n_documents: present.reduce((sum, x) => sum + x, 0),
    tasks,
    verdict: verdict(
      selectivity,
      mean((t) => own[t]! - tabled[t]!),
    ),
  };
}

function verdict(...leads: readonly Estimate[]): Verdict {
  if (leads.some(({ value }) => value <= 0)) return "fails";
  return leads.every(({ low }) => low !== null && low > 0) ? "holds" : "undecided";
}

function predicted(probe: Probe, acts: Float32Array): Int32Array {
  const { n_contexts: k } = probe;
  const scores = probeScores(probe, acts);
  const out = new Int32Array(scores.length / k);
  for (let t = 0; t < out.length; t++)
    for (let c = 1; c < k; c++) if (scores[t * k + c]! > scores[t * k + out[t]!]!) out[t] = c;
  return out;
}

function hits(guesses: Int32Array, labelOf: (t: number) => number): Float64Array {
  return Float64Array.from(guesses, (guess, t) => (guess === labelOf(t) ? 1 : 0));
}

/** A label a type, drawn from the true labels of select: frequencies stay, meaning does not. */
function randomLabels({ labels }: ProbeData, rng: Random): (token: number) => number {
  const given = new Map<number, number>();
  return (token) => {
    let label = given.get(token);
    if (label === undefined) {
      // By the token's own stream: the same on both splits, in whatever order they come.
      label = labels[rng.stream(`type ${token}`).int(labels.length)]!;
      given.set(token, label);
    }
    return label;
  };
}

function tokenTable(
  { labels, tokens }: ProbeData,
  n_labels: number,
): { of(token: number): number; majority: number } {
  const all = new Float64Array(n_labels);
  const byToken = new Map<number, Float64Array>();
  for (let t = 0; t < labels.length; t++) {
    const counts = byToken.get(tokens[t]!) ?? new Float64Array(n_labels);
    byToken.set(tokens[t]!, counts);
    counts[labels[t]!]! += 1;
    all[labels[t]!]! += 1;
  }
  const best = (counts: Float64Array): number => counts.indexOf(Math.max(...counts));
  const majority = best(all);
  return {
    majority,
    of: (token) => {
      const counts = byToken.get(token);
      return counts === undefined ? majority : best(counts);
    },
  };
}
