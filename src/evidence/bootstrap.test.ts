// Intervals: coverage on synthetic worlds, and golden figures from SciPy and statsmodels.
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { auroc, aurocInterval } from "./auroc.ts";
import { bestThreshold, equalBands, quantileBands } from "./bands.ts";
import { bootstrapInterval, quantile, resampleDocuments } from "./bootstrap.ts";
import { wilson } from "./wilson.ts";

test("Wilson intervals are those of statsmodels 0.15 (proportion_confint, wilson)", () => {
  const golden: [number, number, number, number][] = [
    [0, 10, 0.0, 0.27753279986288926],
    [1, 10, 0.017876213095072924, 0.40415002679523854],
    [38, 100, 0.29097599252478734, 0.47790244704488927],
    [1895, 1902, 0.9924224339699478, 0.9982161059053815],
    [5, 5, 0.5655175352168252, 1.0],
  ];
  for (const [k, n, low, high] of golden) {
    const estimate = wilson(k, n)!;
    expect(estimate.low).toBeCloseTo(low, 10);
    expect(estimate.high).toBeCloseTo(high, 10);
  }
  expect(wilson(0, 0)).toBeNull();
});

test("quantiles are numpy's (linear)", () => {
  expect(quantile([1, 2, 4, 8, 16], 0.975)).toBeCloseTo(15.2, 12);
  expect(quantile([1, 2, 4, 8, 16], 0.1)).toBeCloseTo(1.4, 12);
  expect(quantile([3], 0.5)).toBe(3);
});

test("AUROC equals the count of ordered pairs, and Mann–Whitney's U of SciPy", () => {
  const score = [0, 0, 1, 3, 2, 2, 5, 0, 4, 1];
  const positive = [0, 0, 1, 1, 0, 1, 1, 1, 0, 0];
  // scipy.stats.mannwhitneyu([1, 3, 2, 5, 0], [0, 0, 2, 4, 1]).statistic / 25
  expect(auroc(score, positive)).toBeCloseTo(16.0 / 25, 12);
  expect(auroc([1, 1, 1], [0, 1, 0])).toBe(0.5);
});

test("weighting documents is the same as repeating their tokens", () => {
  const rng = random(4);
  const score = Array.from({ length: 60 }, () => rng.int(8));
  const positive = Array.from({ length: 60 }, () => rng.int(2));
  const doc = Array.from({ length: 60 }, (_, i) => Math.floor(i / 5));
  const resamples = resampleDocuments(new Uint8Array(12).fill(1), random(5));
  const draws: number[] = [];
  for (let b = 0; b < resamples.draws; b++) {
    const s: number[] = [];
    const p: number[] = [];
    doc.forEach((d, i) => {
      for (let k = 0; k < resamples.times[d * resamples.draws + b]!; k++) {
        s.push(score[i]!);
        p.push(positive[i]!);
      }
    });
    draws.push(auroc(s, p));
  }
  draws.sort((a, b) => a - b);
  const estimate = aurocInterval(score, positive, doc, resamples);
  expect(estimate.low).toBeCloseTo(quantile(draws, 0.025), 10);
  expect(estimate.high).toBeCloseTo(quantile(draws, 0.975), 10);
});

test("of 300 worlds with correlated tokens, about 95 % of intervals contain the truth", () => {
  // Each document has its own level, so tokens of one document are far from independent.
  const rng = random(11);
  let inside = 0;
  let insideNaive = 0;
  const worlds = 300;
  const documents = 60;
  for (let w = 0; w < worlds; w++) {
    const hits = new Float64Array(documents);
    const n = new Float64Array(documents);
    for (let d = 0; d < documents; d++) {
      const p = Math.min(1, Math.max(0, 0.5 + 0.2 * rng.normal()));
      n[d] = 20 + rng.int(60);
      for (let i = 0; i < n[d]!; i++) if (rng.uniform() < p) hits[d]!++;
    }
    const resamples = resampleDocuments(n, rng.stream(`world ${w}`), { draws: 500 });
    const e = bootstrapInterval([hits, n], ([h, m]) => h! / m!, resamples);
    if (e.low! <= 0.5 && 0.5 <= e.high!) inside++;
    const total = n.reduce((s, x) => s + x, 0);
    const naive = wilson(
      hits.reduce((s, x) => s + x, 0),
      total,
    )!;
    if (naive.low! <= 0.5 && 0.5 <= naive.high!) insideNaive++;
  }
  // Binomial(300, .95) has standard deviation 3.8; small samples lose a little.
  expect(inside).toBeGreaterThan(300 * 0.95 - 15);
  expect(insideNaive).toBeLessThan(240);
});

test("dealt into groups, many documents give an interval of the same width", () => {
  const rng = random(21);
  const documents = 3000;
  const hits = new Float64Array(documents);
  const n = new Float64Array(documents).fill(30);
  for (let d = 0; d < documents; d++) {
    const p = rng.uniform();
    for (let i = 0; i < 30; i++) if (rng.uniform() < p) hits[d]!++;
  }
  const width = (most: number): number => {
    const resamples = resampleDocuments(n, random(3), { draws: 2000, most });
    const e = bootstrapInterval([hits, n], ([h, m]) => h! / m!, resamples);
    expect(resamples.times.reduce((sum, x) => sum + x, 0) / 2000).toBeCloseTo(documents, -2);
    return e.high! - e.low!;
  };
  expect(width(300) / width(documents)).toBeGreaterThan(0.85);
  expect(width(300) / width(documents)).toBeLessThan(1.15);
});

test("bands count every active token once, and a monotone unit is monotone", () => {
  const rng = random(2);
  const value = Float32Array.from({ length: 4000 }, () => 0.01 + 4 * rng.uniform());
  const token = Uint32Array.from({ length: 4000 }, (_, t) => t);
  const inside = (t: number): boolean => value[t]! > 2;
  const equal = equalBands({ token, value }, inside, { bands: 8 });
  expect(equal.reduce((n, b) => n + b.n, 0)).toBe(4000);
  expect(equal[0]!.share!.value).toBe(0);
  expect(equal[7]!.share!.value).toBe(1);
  const quantiles = quantileBands({ token, value }, inside);
  expect(quantiles).toHaveLength(10);
  for (const band of quantiles) expect(Math.abs(band.n - 400)).toBeLessThan(12);
  expect(bestThreshold({ token, value }, inside, 2000)).toBeCloseTo(2, 1);
});

test("a heap of equal activations is one band, and nothing is lost", () => {
  const value = Float32Array.from({ length: 100 }, (_, i) => (i < 70 ? 1 : 1 + i / 10));
  const token = Uint32Array.from({ length: 100 }, (_, t) => t);
  const bands = quantileBands({ token, value }, () => true);
  expect(bands[0]!.n).toBe(70);
  expect(bands.reduce((n, b) => n + b.n, 0)).toBe(100);
  expect(bands.length).toBe(4);
});
