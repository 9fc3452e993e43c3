import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { bestCosines, countFirings, densityFacts, fvuMeter, L0, spliceFacts } from "./metrics.ts";

describe("FVU", () => {
  const rng = random(4);
  const d = 3;
  const x = Float32Array.from({ length: 60 * d }, () => rng.normal());
  const columnMean = (c: number) => {
    let sum = 0;
    for (let at = c; at < x.length; at += d) sum += x[at]!;
    return sum / 60;
  };

  it("is 0 for a copy and 1 for the mean", () => {
    const mean = Float32Array.from(x, (_, i) => columnMean(i % d));
    for (const [guess, wanted] of [
      [x, 0],
      [mean, 1],
    ] as const) {
      const meter = fvuMeter(d);
      meter.add(x, guess);
      expect(meter.value()).toBeCloseTo(wanted, 6);
    }
  });

  it("does not depend on how rows come in batches, or on where the mean lies", () => {
    const far = x.map((v) => v + 1000);
    const guess = far.map((v, i) => v + (i % 2 === 0 ? 0.1 : -0.1));
    const whole = fvuMeter(d);
    whole.add(far, guess);
    const parts = fvuMeter(d);
    parts.add(far.subarray(0, 7 * d), guess.subarray(0, 7 * d));
    parts.add(far.subarray(7 * d, 7 * d), guess.subarray(7 * d, 7 * d));
    parts.add(far.subarray(7 * d), guess.subarray(7 * d));
    expect(parts.value()).toBeCloseTo(whole.value(), 10);
    let spread = 0;
    for (let i = 0; i < x.length; i++) spread += (x[i]! - columnMean(i % d)) ** 2;
    expect(whole.value()).toBeCloseTo((x.length * 0.01) / spread, 3);
  });
});

it("L0 and firings count what is above 0", () => {
  const rows = {
    n_tokens: 2,
    k: 2,
    index: Int32Array.of(0, 1, 1, 2),
    value: Float32Array.of(1, 2, 3, 0),
  };
  expect(L0(rows)).toBe(1.5);
  expect([...countFirings(rows, 4)]).toEqual([1, 2, 0, 0]);
});

it("densities: dead, rare, frequent, and the histogram by quarter decades", () => {
  const facts = densityFacts([0, 1, 1000, 200_000], 1_000_000);
  expect(facts).toMatchObject({ dead: 0.25, below_1e5: 0.5, above_10_percent: 0.25 });
  expect(facts.histogram.counts[4]).toBe(1);
  expect(facts.histogram.counts.reduce((a, b) => a + b)).toBe(3);
});

it("CE recovered: by zero and by mean, over tokens that have a target", () => {
  const none = Number.NaN;
  const facts = spliceFacts({
    clean: Float32Array.of(1, 3, none),
    spliced: Float32Array.of(2, 3, none),
    zero: Float32Array.of(6, 8, none),
    mean: Float32Array.of(3, 3, none),
  });
  expect(facts).toEqual({ CE_clean: 2, dCE: 0.5, CE_recovered: 0.9, CE_recovered_mean: 0.5 });
});

it("the best cosine of a direction is 1 with itself, whatever the lengths", () => {
  const truth = Float32Array.of(3, 0, 0, 1);
  const rows = Float32Array.of(0.5, 0, 1, 1);
  expect(bestCosines(truth, rows, 2)[0]).toBeCloseTo(1, 6);
  expect(bestCosines(truth, rows, 2)[1]).toBeCloseTo(Math.SQRT1_2, 6);
});
