// The small parts of a page against slow formulas, theorems and the words they must use.
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { toColumns } from "../dictionaries/sparse.ts";
import { claim } from "../evidence/claim.ts";
import { columnBuilder } from "./columns.ts";
import { chooseExamples } from "./examples.ts";
import { count, figure, percent, quoted, withInterval } from "./format.ts";
import { kurtosis, summarizeLogits } from "./logit-weights.ts";
import { nameOf } from "./name.ts";
import { neuronMatcher, neuronShares, participationRatio, randomParticipation } from "./neurons.ts";
import { stripMaker } from "./strips.ts";

test("figures are written as the house writes them", () => {
  expect(figure(-0.871)).toBe("\u22120.87");
  expect(figure(0.004)).toBe("<.005");
  expect(withInterval({ value: 0.87, low: 0.86, high: 0.88 })).toBe("0.87 (0.86 to 0.88)");
  expect(percent(0.38)).toBe("38 %");
  expect(percent(0.0066)).toBe("0.66 %");
  expect(count(1902)).toBe("1,902");
  expect(quoted({ text: " the" })).toBe("“the”");
  expect(quoted({ text: "\n" })).toBe("“↵”");
  expect(quoted({ text: " " })).toBe("“·”");
  expect(quoted({ text: "\u202e" })).toBe("“U+202E”");
  expect(quoted({ text: "\ufffd", hex: "F09F" })).toBe("bytes F0 9F");
});

test("participation is 1 for one neuron, d for all alike, and about d / 3 for a random direction", () => {
  expect(participationRatio([0, 5, 0, 0])).toBe(1);
  expect(participationRatio([1, -1, 1, 1])).toBe(4);
  // (Σ w²)² / Σ w⁴ of normals tends to d / 3, since E w⁴ = 3.
  expect(randomParticipation(3000, random(1), 64) / 1000).toBeCloseTo(1, 1);
  const shares = neuronShares([0.5, -2, 0, 1.5], 2);
  expect(shares.top).toEqual([
    { neuron: 1, share: -0.5 },
    { neuron: 3, share: 0.375 },
  ]);
  expect(shares.rest).toEqual({ neurons: 2, share: 0.125 });
});

test("kurtosis is 3 for normals, 1.8 for uniforms, as in a table", () => {
  const rng = random(2);
  expect(kurtosis(Float64Array.from({ length: 200_000 }, () => rng.normal()))).toBeCloseTo(3, 1);
  expect(kurtosis(Float64Array.from({ length: 200_000 }, () => rng.uniform()))).toBeCloseTo(1.8, 1);
});

test("the ends of logit weights are the largest and smallest, in order, ties by token", () => {
  const { up, down } = summarizeLogits(Float32Array.of(1, 5, 5, -2, 0, 3), { ends: 3 });
  expect(up.map((l) => l.token)).toEqual([1, 2, 5]);
  expect(down.map((l) => l.token)).toEqual([3, 4, 0]);
});

test("columns built batch by batch are those of one counting sort", () => {
  const rng = random(3);
  const n = 200;
  const k = 4;
  const index = Int32Array.from({ length: n * k }, (_, p) => (rng.int(10) * k + (p % k)) % 40);
  const value = Float32Array.from({ length: n * k }, () => Math.max(0, rng.normal()));
  const builder = columnBuilder(40);
  for (let from = 0; from < n; from += 33) {
    const to = Math.min(n, from + 33);
    builder.add({
      n_tokens: to - from,
      k,
      index: index.subarray(from * k, to * k),
      value: value.subarray(from * k, to * k),
    });
  }
  expect(builder.done()).toEqual(toColumns({ n_tokens: n, k, index, value }, 40));
});

test("the most similar neuron is the one with the largest dense correlation", () => {
  const rng = random(4);
  const n = 300;
  const d = 5;
  const acts = Float32Array.from({ length: n * d }, () => Math.max(0, rng.normal()));
  const rows = {
    n_tokens: n,
    k: 2,
    index: Int32Array.from({ length: n * 2 }, (_, p) => p % 2),
    value: Float32Array.from({ length: n * 2 }, (_, p) =>
      Math.max(0, acts[Math.floor(p / 2) * d + (p % 2 === 0 ? 3 : 1)]! + 0.3 * rng.normal()),
    ),
  };
  const matcher = neuronMatcher(2, d);
  matcher.add(rows, acts);
  const best = matcher.best();
  expect(best.map((b) => b!.neuron)).toEqual([3, 1]);
  const x = Array.from({ length: n }, (_, t) => rows.value[2 * t]!);
  const y = Array.from({ length: n }, (_, t) => acts[t * d + 3]!);
  const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / n;
  const cov = (a: number[], b: number[]) => mean(a.map((v, i) => v * b[i]!)) - mean(a) * mean(b);
  expect(best[0]!.r).toBeCloseTo(cov(x, y) / Math.sqrt(cov(x, x) * cov(y, y)), 4);
});

test("random examples of an interval are uniform over its tokens", () => {
  // 60 tokens of one interval far apart: over many seeds each is chosen about equally often.
  const n = 60;
  const tokens = Int32Array.from({ length: n * 20 }, (_, t) => t);
  const world = {
    tokens,
    context: new Uint16Array(n * 20),
    doc: new Int32Array(n * 20),
    contexts: ["a"],
    documents: [{ id: "d" }],
  };
  const column = {
    token: Uint32Array.from({ length: n }, (_, i) => i * 20),
    value: Float32Array.from({ length: n }, (_, i) => (i === 0 ? 11 : 0.5)),
  };
  const seen = new Float64Array(n);
  for (let seed = 0; seed < 1500; seed++) {
    const { random: drawn } = chooseExamples(column, 11, world, { rng: random(seed) });
    for (const t of drawn[0]!) seen[t / 20]!++;
  }
  expect(seen[0]).toBe(0);
  const wanted = (1500 * 3) / (n - 1);
  let chi = 0;
  for (let i = 1; i < n; i++) chi += (seen[i]! - wanted) ** 2 / wanted;
  // χ² with 58 degrees of freedom: 99.9 % lie below 99.
  expect(chi).toBeLessThan(99);
});

test("texts that are the same are shown once", () => {
  const tokens = Int32Array.from({ length: 400 }, (_, t) => t % 40);
  const world = {
    tokens,
    context: new Uint16Array(400),
    doc: Int32Array.from(tokens, (_, t) => Math.floor(t / 40)),
    contexts: ["a"],
    documents: Array.from({ length: 10 }, (_, d) => ({ id: `${d}` })),
  };
  const column = {
    token: Uint32Array.from({ length: 10 }, (_, d) => d * 40 + 20),
    value: Float32Array.from({ length: 10 }, (_, d) => 1 + d / 100),
  };
  const { top, random: drawn } = chooseExamples(column, 1.09, world, { rng: random(0) });
  expect(top).toEqual([9 * 40 + 20]);
  expect(drawn.flat()).toHaveLength(1);
});

test("a strip of Hebrew reads from the right, and stays in its document", () => {
  const words = ["ab", "שלום", " עולם", "x", "ספר"];
  const world = {
    tokens: Int32Array.of(0, 0, 1, 2, 4, 1, 0),
    context: Uint16Array.of(0, 0, 1, 1, 1, 1, 0),
    doc: Int32Array.of(0, 0, 1, 1, 1, 1, 2),
    contexts: ["en", "he"],
    documents: [{ id: "a" }, { id: "b" }, { id: "c" }],
  };
  const { strip } = stripMaker(world, {
    pieces: (ids) => Array.from(ids, (id) => ({ text: words[id]! })),
  });
  const made = strip({ token: Uint32Array.of(3, 4), value: Float32Array.of(2, 1e-7) }, 3, 2);
  expect(made).toMatchObject({ dir: "rtl", document: "b", context: "he", peak: 1, value: 2 });
  expect(made.pieces.map((p) => p.text)).toEqual(["שלום", " עולם", "ספר", "שלום"]);
  expect(made.acts[2]).toBeGreaterThan(0);
});

test("a name follows the verdict: context, else tokens, else nothing", () => {
  const parts = {
    id: "x",
    statement: "",
    metric: "r_given_token",
    better: "higher" as const,
    estimate: { value: 0.8, low: 0.75, high: 0.85 },
    control: { value: 0.1, low: 0.05, high: 0.15, kind: "permuted-weights" as const, draws: 1 },
    baselines: [],
    chosen_on: "select" as const,
    judged_on: "eval" as const,
    n: 1,
    n_documents: 1,
    n_tried: 1,
    margin: 0.25,
    seeds: [0],
  };
  const the = { piece: { text: " the" }, share: 0.7 };
  const spread = { current: [{ piece: { text: "a" }, share: 0.1 }], previous: [] };
  const facts = { best_context: "contract", characteristic: spread };
  expect(nameOf({ ...facts, claim: claim(parts) })).toBe("contract");
  expect(
    nameOf({ ...facts, claim: claim(parts), characteristic: { current: [the], previous: [] } }),
  ).toBe("“the” in contract");
  const weak = claim({ ...parts, estimate: { value: 0.1, low: 0.05, high: 0.14 } });
  expect(nameOf({ ...facts, claim: weak })).toBeNull();
  expect(nameOf({ ...facts, claim: weak, characteristic: { current: [the], previous: [] } })).toBe(
    "“the”",
  );
  expect(nameOf({ ...facts, claim: weak, characteristic: { current: [], previous: [the] } })).toBe(
    "after “the”",
  );
  // Without a control a strong figure gives the name, a weak one does not.
  expect(nameOf({ ...facts, claim: claim({ ...parts, control: null }) })).toBe("contract");
  const open = claim({ ...parts, control: null, estimate: { value: 0.2, low: 0.1, high: 0.3 } });
  expect(nameOf({ ...facts, claim: open })).toBeNull();
});
