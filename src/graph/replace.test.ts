// Replaced values: everything that read the old one reads the new one, and gradients follow.
import { expect, test } from "vitest";
import { f32 } from "../tensor/tensor.ts";
import { grad } from "./grad.ts";
import { interpret } from "./interpret.ts";
import { add, exp, mul } from "./ops/arithmetic.ts";
import { sum } from "./ops/broadcast.ts";
import { replace } from "./replace.ts";
import { input } from "./value.ts";

const x = input("x", "float32", [2]);
const h = mul(x, 2);
const y = add(exp(h), h);
const feeds = { x: f32([2], [1, 2]) };

function run(value: typeof x): number[] {
  return [...(interpret({ value }, feeds).value!.data as Float64Array)];
}

test("a replaced value reaches every reader", () => {
  const { roots } = replace([y], new Map([[h, (old) => mul(old, 0)]]));
  expect(run(roots[0]!)).toEqual([1, 1]); // e⁰ + 0
  expect(run(y)).toEqual([Math.exp(2) + 2, Math.exp(4) + 4]);
});

test("a later swap sees what an earlier one left", () => {
  const e = exp(h);
  const { roots, now } = replace(
    [e],
    new Map([
      [h, (old) => mul(old, 0)],
      [e, (old) => add(old, 5)],
    ]),
  );
  expect(run(roots[0]!)).toEqual([6, 6]);
  expect(run(now(h))).toEqual([0, 0]);
});

test("the gradient goes through what was put in", () => {
  const { roots } = replace([sum(y)], new Map([[h, (old) => mul(old, 3)]]));
  const [g] = grad(roots[0]!, [x]);
  // d/dx (e^{6x} + 6x)
  expect(run(g!)).toEqual([6 * Math.exp(6) + 6, 6 * Math.exp(12) + 6]);
});

test("another shape is refused with both", () => {
  expect(() => replace([y], new Map([[h, () => sum(h)]]))).toThrow(/like it/);
});
