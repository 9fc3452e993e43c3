import { describe, expect, test } from "vitest";
import { tensor } from "../../tensor/tensor.ts";
import { grad } from "../grad.ts";
import { interpret } from "../interpret.ts";
import { print } from "../print.ts";
import { program } from "../program.ts";
import { simplify } from "../simplify.ts";
import { input, type Value } from "../value.ts";
import { exp, log, mul } from "./arithmetic.ts";
import { sum } from "./broadcast.ts";
import { shortcut } from "./shortcut.ts";

describe("a shortcut", () => {
  const x = input("x", "float32", [3]);
  const feeds = { x: tensor("float32", [3], Float32Array.of(0.5, 1, 2)) };
  /** x² plainly, by way of log x² = 2 log x, and at once. */
  const passed = mul(log(x), 2);
  const squared = shortcut(exp(passed), mul(x, x), [passed]);
  const ops = (...outputs: Value[]): string =>
    print(Object.fromEntries(simplify(outputs).entries()));

  test("is taken where nobody reads what it passes by", () => {
    expect(ops(mul(squared, 3))).not.toMatch(/exp|log|shortcut/);
  });

  test("is left where what it passes by is an output, or used by another value", () => {
    for (const seen of [passed, mul(passed, 5)]) {
      expect(ops(squared, seen)).toMatch(/exp/);
      expect(ops(squared, seen)).not.toMatch(/shortcut/);
    }
  });

  test("has the gradient of the plain way, for which the plain way is then there", () => {
    const [slope] = grad(sum(squared), [x]);
    expect(Array.from(interpret({ slope: slope! }, feeds).slope!.data as Float64Array)).toEqual(
      [1, 2, 4].map((wanted) => expect.closeTo(wanted, 12)),
    );
    const [toPassed] = grad(sum(squared), [passed]);
    // d x² / d log x² = x².
    expect(
      Array.from(interpret({ toPassed: toPassed! }, feeds).toPassed!.data as Float64Array),
    ).toEqual([0.25, 1, 4].map((wanted) => expect.closeTo(wanted, 12)));
  });

  test("wants both ways to lead to one value", () => {
    expect(() => shortcut(exp(passed), sum(x), [])).toThrow(
      expect.objectContaining({ code: "shape/shortcut" }),
    );
    expect(program({ inputs: [x], outputs: { squared } }).outputs[0]!.shape).toEqual([3]);
  });
});
