import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { kaimingUniform, normal, xavierNormal } from "./init.ts";
import { schedule } from "./schedule.ts";

test("the rate rises linearly, stays, and falls to its floor", () => {
  const at = schedule({
    lr: 2,
    steps: 100,
    warmup: 10,
    decay: "linear",
    decaySteps: 40,
    floor: 0.1,
  });
  expect([0, 4, 9, 10, 60].map(at)).toEqual([0.2, 1, 2, 2, 2]);
  expect(at(80)).toBeCloseTo(2 * 0.55);
  expect(at(100)).toBeCloseTo(0.2);
  const cosine = schedule({ lr: 1, steps: 100, decay: "cosine" });
  expect(cosine(50)).toBeCloseTo(0.5);
  expect(cosine(25)).toBeCloseTo((1 + Math.SQRT1_2) / 2);
  expect(schedule({ lr: 1, steps: 9 })(8)).toBe(1);
});

test("initial weights have the variance that their formula says", () => {
  const variance = (x: Float32Array) => x.reduce((sum, v) => sum + v * v, 0) / x.length;
  // The standard error of a variance of 40,000 numbers is below 1 %.
  const shape = [200, 200];
  expect(variance(normal(random(1), shape, 3).data) / 9).toBeCloseTo(1, 1);
  expect(variance(kaimingUniform(random(2), shape, 50).data) / (2 / 50)).toBeCloseTo(1, 1);
  const xavier = xavierNormal(random(3), shape, { fanIn: 10, fanOut: 30 }).data;
  expect(variance(xavier) / (2 / 40)).toBeCloseTo(1, 1);
});
