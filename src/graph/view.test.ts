// Do views of weights vanish from programs, and is what they show unchanged?
import fc from "fast-check";
import { expect, test } from "vitest";
import { sizeOf, tensor } from "../tensor/tensor.ts";
import {
  input,
  interpret,
  matmul,
  reshape,
  slice,
  transpose,
  type Value,
  weight,
} from "./index.ts";
import { simplify } from "./simplify.ts";
import { reachable } from "./value.ts";

const numbers = (shape: readonly number[]) =>
  tensor(
    "float64",
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)),
  );
const stored = (shape: readonly number[]): Value =>
  weight("W", "float32", shape, { path: "/w", offset: 0, length: 4 * sizeOf(shape) });
const ops = (outputs: Value[]) => reachable(simplify(outputs)).map(({ op }) => op);
const x = input("x", "float32", [5, 6]);

test("a linear layer split into heads and joined again is one product", () => {
  const heads = transpose(reshape(stored([8, 6]), [4, 2, 6]), [0, 2, 1]);
  const flat = reshape(transpose(heads, [1, 0, 2]), [6, 8]);
  expect(ops([matmul(x, flat)])).toEqual(["input", "weight", "matmul"]);
});

test("three parts of one matrix are three parts of one product", () => {
  const W = stored([6, 12]);
  const parts = [0, 1, 2].map((i) => {
    const part = slice(W, { axis: 1, start: 4 * i, end: 4 * i + 4 });
    const heads = transpose(reshape(part, [6, 2, 2]), [1, 0, 2]);
    return matmul(x, reshape(transpose(heads, [1, 0, 2]), [6, 4]));
  });
  expect(ops(parts).sort()).toEqual("input matmul slice slice slice weight".split(" "));
  const feeds = { x: numbers([5, 6]), W: numbers([6, 12]) };
  const outputs = Object.fromEntries(parts.map((part, i) => [`${i}`, part]));
  const simple = Object.fromEntries(simplify(parts).map((part, i) => [`${i}`, part]));
  expect(interpret(simple, feeds)).toEqual(interpret(outputs, feeds));
});

test("parts that alternate by head are parts of one product too", () => {
  const W = reshape(stored([12, 6]), [2, 3, 2, 6]);
  const parts = [0, 1, 2].map((i) => {
    const heads = reshape(slice(W, { axis: 1, start: i, end: i + 1 }), [2, 2, 6]);
    return matmul(x, reshape(transpose(transpose(heads, [0, 2, 1]), [1, 0, 2]), [6, 4]));
  });
  expect(ops(parts).filter((op) => op === "matmul")).toHaveLength(1);
  expect(ops(parts)).not.toContain("transpose");
  const feeds = { x: numbers([5, 6]), W: numbers([12, 6]) };
  const outputs = Object.fromEntries(parts.map((part, i) => [`${i}`, part]));
  const simple = Object.fromEntries(simplify(parts).map((part, i) => [`${i}`, part]));
  expect(interpret(simple, feeds)).toEqual(interpret(outputs, feeds));
});

test("any chain of reshapes and transposes of a weight keeps its numbers and never grows", () => {
  const shapes = [[24], [4, 6], [2, 3, 4], [3, 2, 2, 2], [1, 24], [4, 1, 6], [2, 12], [6, 2, 2]];
  const step = fc.oneof(
    fc.constantFrom(...shapes).map((shape) => (v: Value) => reshape(v, shape)),
    fc.nat().map((seed) => (v: Value) => {
      const perm = v.shape.map((_, i) => i);
      for (let i = perm.length - 1; i > 0; i--) {
        const j = (seed * 7 + i * 3) % (i + 1);
        [perm[i], perm[j]] = [perm[j]!, perm[i]!];
      }
      return transpose(v, perm);
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      const before = steps.reduce((v, one) => one(v), stored([4, 6]));
      const [after] = simplify([before]) as [Value];
      expect(after.shape).toEqual(before.shape);
      const feeds = { W: numbers([4, 6]) };
      expect(interpret({ y: after }, feeds)).toEqual(interpret({ y: before }, feeds));
      expect(reachable([after]).length).toBeLessThanOrEqual(reachable([before]).length);
    }),
    { numRuns: 300 },
  );
});
