// Claims over worlds whose truth is known: what is there holds, what is not there does not.
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { resampleDocuments } from "./bootstrap.ts";
import { contextClaims, contextFigures, discrimination } from "./context-claims.ts";
import { poolControls } from "./control.ts";
import { denseMoments } from "./correlate.ts";
import { chooseUnits, layGround, measureContexts } from "./judge.ts";
import { fitTokens, type LabelledTokens } from "./labels.ts";
import { lossClaims } from "./loss-claims.ts";
import { densityMatched, randomDirections, randomUnits } from "./nulls.ts";
import { fitProbe, probeRows, probeScores } from "./probe.ts";
import { columnsAt, fieldNouns, occurrences, raisesNouns, theToken } from "./the-token.ts";
import { denseOf, honestUnits, makeColumns, makeLabels } from "./world.fixture.ts";

const select = makeLabels(1, { documents: 60, length: 60 });
const judged = makeLabels(2, { documents: 70, length: 60 });
const columns = {
  select: makeColumns(select, 6, honestUnits(select), 3),
  eval: makeColumns(judged, 6, honestUnits(judged), 4),
};
const noise = (labels: LabelledTokens, seed: number) =>
  makeColumns(labels, 6, (_, __, rng) => (rng.uniform() < 0.1 ? rng.uniform() : 0), seed);

test("a context with a feature of its own holds; among shuffled documents none does", async () => {
  const ground = await layGround(select, judged);
  const names = ground.contexts.map((c) => judged.contexts[c]!);
  const control = poolControls(
    "permuted-weights",
    [await measureContexts({ select: noise(select, 5), eval: noise(judged, 6) }, ground)],
    names,
  );
  const own = contextClaims(await measureContexts(columns, ground), ground, { control });
  const hex = own.find((s) => s.context === "hex")!;
  expect(hex.r_given_token.verdict).toBe("holds");
  expect(contextFigures(hex)).toMatchObject({ feature: 0, verdict: "holds" });
  // The same units where labels were dealt out anew.
  const deal = (labels: LabelledTokens, seed: number): LabelledTokens => {
    const of = labels.documents.map((_, d) => labels.context[labels.doc.indexOf(d)]!);
    random(seed).shuffle(of);
    return { ...labels, context: labels.context.map((_, t) => of[labels.doc[t]!]!) };
  };
  for (let seed = 0; seed < 4; seed++) {
    const dealt = await layGround(deal(select, seed), deal(judged, seed + 50));
    const nothing = contextClaims(await measureContexts(columns, dealt), dealt, { control });
    for (const summary of nothing) expect(summary.r_given_token.verdict).not.toBe("holds");
  }
});

test("a better neuron keeps a claim from holding", async () => {
  const ground = await layGround(select, judged);
  const control = poolControls("permuted-weights", [[]], ["hex"]);
  const rivals = { neurons: { hex: { unit: 9, r: 0.99, r_given_token: 0.99 } } };
  const figures = await measureContexts(columns, ground);
  const beaten = contextClaims(figures, ground, { control, rivals });
  expect(beaten.find((s) => s.context === "hex")!.r_given_token.verdict).toBe("undecided");
  const open = contextClaims(figures, ground);
  expect(open.every((s) => s.r_given_token.verdict === "pending")).toBe(true);
});

test("several controls pool to their mean and range", () => {
  const figure = (value: number) => ({ value, low: value - 0.1, high: value + 0.1 });
  const draw = (value: number) => [
    {
      context: "hex",
      unit: 1,
      selected: 0,
      threshold: 0,
      peak: 1,
      n: 1,
      n_documents: 1,
      n_tried: 6,
      bands: [],
      quantile_bands: [],
      r: figure(value),
      r_given_token: figure(value),
      precision: figure(value),
      recall: figure(value),
      weight: figure(value),
    },
  ];
  const pooled = poolControls("permuted-weights", [draw(0.1), draw(0.4), []], ["hex"]);
  const r = pooled.contexts.hex!.figures.r;
  expect(r).toMatchObject({ low: 0, high: 0.4, draws: 3 });
  expect(r.value).toBeCloseTo(0.5 / 3, 12);
});

test("two features made for two contexts tell them apart, a single one does not", async () => {
  const ground = await layGround(select, judged);
  const pair = [
    { context: "hex", feature: 0 },
    { context: "code", feature: 3 },
  ];
  const { distinct, pairs } = discrimination(columns.eval, pair, ground);
  expect(distinct).toBe(true);
  for (const { auroc } of pairs) expect(auroc.value).toBeGreaterThan(0.8);
  const same = [
    { context: "hex", feature: 2 },
    { context: "code", feature: 2 },
  ];
  const nothing = discrimination(columns.eval, same, ground);
  expect(nothing.distinct).toBe(false);
  for (const { auroc } of nothing.pairs) expect(Math.abs(auroc.value - 0.5)).toBeLessThan(0.1);
});

test("ΔCE is the mean difference over targets, and its interval covers the planted cost", () => {
  const rng = random(8);
  const documents = 80;
  const n = documents * 50;
  const doc = Int32Array.from({ length: n }, (_, t) => Math.floor(t / 50));
  const level = Float64Array.from({ length: documents }, () => 0.1 * rng.normal());
  const make = (cost: number): Float32Array =>
    Float32Array.from(doc, (d, t) =>
      t % 50 === 49
        ? Number.NaN
        : 3 + level[d]! + cost * (1 + 0.5 * Math.sin(d)) + 0.01 * Math.cos(t),
    );
  const resamples = resampleDocuments(new Uint8Array(documents).fill(1), random(1));
  const claims = lossClaims(
    {
      clean: make(0),
      dictionary: make(0.03),
      zero: make(1),
      mean: make(0.6),
      rivals: { "data-points": make(0.11), pca: make(0.5), "top-neurons": make(0.8) },
    },
    { doc, resamples, L0: 32 },
  );
  const mean =
    1 +
    Array.from({ length: documents }, (_, d) => (0.5 * Math.sin(d)) / documents).reduce(
      (a, b) => a + b,
      0,
    );
  expect(claims.dCE.estimate.value).toBeCloseTo(0.03 * mean, 5);
  expect(claims.dCE.verdict).toBe("holds");
  expect(claims.dCE.n).toBe(documents * 49);
  expect(claims.CE_recovered!.estimate.value).toBeCloseTo(0.97, 5);
  expect(claims.CE_recovered_mean!.estimate.value).toBeCloseTo(0.95, 5);
  expect(claims.CE_recovered_mean!.control!.value).toBe(0);
  expect(claims.half_of_data_points!.estimate.value).toBeCloseTo(0.03 / 0.11, 5);
  expect(claims.half_of_data_points!.verdict).toBe("holds");
  const worse = lossClaims(
    {
      clean: make(0),
      dictionary: make(0.12),
      mean: make(0.6),
      rivals: { "data-points": make(0.11) },
    },
    { doc, resamples, L0: 32 },
  );
  expect(worse.dCE.verdict).toBe("undecided");
  expect(worse.half_of_data_points!.verdict).toBe("fails");
});

test("the ridge probe solves its normal equations, and reads a context off planted activations", () => {
  const rng = random(3);
  const d = 6;
  const n = select.tokens.length;
  const acts = Float32Array.from({ length: n * d }, (_, i) => {
    const t = Math.floor(i / d);
    return rng.normal() + (i % d === select.context[t] ? 3 : 0);
  });
  const probe = fitProbe(acts, select.context, { d, n_contexts: 4, ridge: 0.01 });
  const scores = probeScores(probe, acts);
  const mean = Array.from({ length: d }, (_, i) => {
    let sum = 0;
    for (let t = 0; t < n; t++) sum += acts[t * d + i]! / n;
    return sum;
  });
  let variance = 0;
  for (let t = 0; t < n; t++)
    for (let i = 0; i < d; i++) variance += (acts[t * d + i]! - mean[i]!) ** 2 / n / d;
  for (let c = 0; c < 4; c++)
    for (let i = 0; i < d; i++) {
      let gradient = 0.01 * variance * probe.weights[i * 4 + c]!;
      for (let t = 0; t < n; t++)
        gradient +=
          ((scores[t * 4 + c]! - (select.context[t] === c ? 1 : 0)) *
            (acts[t * d + i]! - mean[i]!)) /
          n;
      expect(Math.abs(gradient)).toBeLessThan(1e-6);
    }
  const fit = fitTokens(select);
  const sums = denseMoments(4, select, fit);
  sums.add(scores, 0);
  const moments = sums.done();
  expect(moments.units).toBe(4);
  expect([...probeRows(10, 20, rng)]).toHaveLength(10);
  const rows = probeRows(1000, 100, rng);
  expect(new Set(rows).size).toBe(100);
  expect([...rows]).toEqual([...rows].sort((a, b) => a - b));
});

test("random directions have length one, and their units fire as densely as they are told", () => {
  const rng = random(5);
  const directions = randomDirections(4, 8, rng);
  for (let u = 0; u < 4; u++)
    expect(Math.hypot(...directions.subarray(u * 8, u * 8 + 8))).toBeCloseTo(1, 5);
  const acts = Float32Array.from({ length: 8 * 4000 }, () => rng.normal());
  const density = [0.5, 0.1, 0.02, 0.25];
  const units = randomUnits(directions, acts, new Float32Array(8), density);
  const out = units.apply(acts);
  density.forEach((wanted, u) => {
    let fires = 0;
    for (let t = 0; t < 4000; t++) if (out[t * 4 + u]! > 0) fires++;
    expect(fires / 4000).toBeCloseTo(wanted, 2);
  });
  // A normal projection passes the quantile of its density.
  expect(units.threshold[1]).toBeCloseTo(1.2816, 0);
});

test("density-matched features are others of nearly the same density", () => {
  const [mate] = densityMatched([4], columns.eval, random(1), { among: 1 });
  expect(mate).toBe(5);
});

test("a unit that fires on the word in one field only is found; the bigram table stands beside", async () => {
  const ground = await layGround(select, judged);
  const word = new Set([0, 1, 2]);
  const planted = (labels: LabelledTokens, seed: number) =>
    makeColumns(
      labels,
      5,
      (t, u, rng) => {
        if (u !== 3) return rng.uniform() < 0.2 ? rng.uniform() : 0;
        return labels.context[t] === 1 && rng.uniform() < 0.9 ? 1 + rng.uniform() : 0;
      },
      seed,
    );
  const found = theToken({ select: planted(select, 1), eval: planted(judged, 2) }, ground, {
    name: "code",
    tokens: word,
    field: ["code"],
    control: { select: noise(select, 7), eval: noise(judged, 8) },
  })!;
  expect(found.feature).toBe(3);
  expect(found.claim.estimate.value).toBeGreaterThan(0.9);
  expect(found.claim.verdict).toBe("holds");
  expect(found.claim.baselines[0]!.kind).toBe("bigram-table");
  // Slow AUROC: all pairs.
  const here = occurrences(judged, word, new Set(["code"]));
  const acts = denseOf(planted(judged, 2))[3]!;
  let wins = 0;
  let pairs = 0;
  here.at.forEach((a, i) => {
    here.at.forEach((b, j) => {
      if (here.inField[i] !== 1 || here.inField[j] === 1) return;
      pairs++;
      wins += acts[a]! > acts[b]! ? 1 : acts[a] === acts[b] ? 0.5 : 0;
    });
  });
  expect(found.claim.estimate.value).toBeCloseTo(wins / pairs, 10);
  // The columns at the word's occurrences are all that it needs.
  const there = occurrences(select, word, new Set(["code"]));
  const small = {
    select: columnsAt(planted(select, 1), there),
    eval: columnsAt(planted(judged, 2), here),
  };
  const again = theToken(small, ground, { name: "code", tokens: word, field: ["code"] })!;
  expect(again.claim.estimate).toEqual(found.claim.estimate);
  const random_ = theToken({ select: noise(select, 1), eval: noise(judged, 2) }, ground, {
    name: "code",
    tokens: word,
    field: ["code"],
    control: { select: noise(select, 7), eval: noise(judged, 8) },
  })!;
  expect(random_.claim.verdict).not.toBe("holds");
});

test("nouns of a field are the tokens that follow the word there", () => {
  const tokens = Int32Array.from({ length: 400 }, (_, t) =>
    t % 2 === 0 ? 0 : t < 200 ? 5 + (t % 3) : 8 + (t % 3),
  );
  const doc = Int32Array.from(tokens, (_, t) => Math.floor(t / 20));
  const context = Uint16Array.from(tokens, (_, t) => (t < 200 ? 1 : 0));
  const text: LabelledTokens = {
    tokens,
    context,
    doc,
    contexts: ["rest", "law"],
    documents: Array.from({ length: 20 }, (_, d) => ({ id: `${d}` })),
  };
  const found = occurrences(text, new Set([0]), new Set(["law"]));
  const nouns = fieldNouns(text, found);
  expect(new Set(nouns)).toEqual(new Set([5, 6, 7]));
  const rng = random(2);
  const plain = (lift: number): number[] =>
    Array.from({ length: 40 }, (_, v) => rng.normal() + (nouns.includes(v) ? lift : 0));
  const controls = Array.from({ length: 40 }, () => plain(0));
  const options = { name: "law", feature: 1, rng, n_documents: 10 };
  expect(raisesNouns(plain(6), nouns, [8, 9, 10], controls, options).verdict).toBe("holds");
  expect(raisesNouns(plain(0), nouns, [8, 9, 10], controls, options).verdict).not.toBe("holds");
});

test("the number of units tried can be made the same on both sides", async () => {
  const ground = await layGround(select, judged);
  const { columnMoments } = await import("./correlate.ts");
  const moments = columnMoments(columns.select, select, ground.fit);
  const chosen = chooseUnits(moments, ground, { tried: [2, 4] });
  expect(chosen.n_tried).toBe(2);
  for (const unit of chosen.best) expect([-1, 2, 4]).toContain(unit);
});
