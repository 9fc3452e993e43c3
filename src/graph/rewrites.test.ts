// Rules that came with whole models: each keeps the numbers, and leaves the graph that it promises.
import { describe, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { grad } from "./grad.ts";
import { interpret } from "./interpret.ts";
import { add, mul } from "./ops/arithmetic.ts";
import { reshape, sum } from "./ops/broadcast.ts";
import { gather } from "./ops/gather.ts";
import { concat, slice, transpose } from "./ops/layout.ts";
import { matmul } from "./ops/matmul.ts";
import { print } from "./print.ts";
import { simplify } from "./simplify.ts";
import { input, type Value } from "./value.ts";

const rng = random(7);

function drawn(name: string, ...shape: number[]): { value: Value; feed: Record<string, Tensor> } {
  const data = Float32Array.from({ length: sizeOf(shape) }, () => rng.normal());
  return { value: input(name, "float32", shape), feed: { [name]: tensor("float32", shape, data) } };
}

/** The simplified graph as text, after its numbers were found to be the same. */
function simplified(values: Record<string, Value>, feeds: Record<string, Tensor>): string {
  const names = Object.keys(values);
  const simple = Object.fromEntries(
    simplify(Object.values(values)).map((value, i) => [names[i]!, value]),
  );
  const [before, after] = [interpret(values, feeds), interpret(simple, feeds)];
  for (const name of names)
    (before[name]!.data as Float64Array).forEach((x, i) => {
      expect((after[name]!.data as Float64Array)[i]!).toBeCloseTo(x, 9);
    });
  return print(simple);
}

const count = (text: string, op: string): number => text.split(`= ${op}(`).length - 1;

describe("a product", () => {
  const x = drawn("x", 5, 4);
  const W = drawn("W", 4, 6);
  const b = drawn("b", 6);
  const feeds = { ...x.feed, ...W.feed, ...b.feed };
  const part = (of: Value, start: number, end: number) =>
    slice(of, { axis: of.shape.length - 1, start, end });

  test("whose parts each get their part of a bias gets the bias whole", () => {
    const parts = [0, 2, 4].map((start) =>
      add(matmul(x.value, part(W.value, start, start + 2)), part(b.value, start, start + 2)),
    );
    const text = simplified(Object.fromEntries(parts.entries()), feeds);
    expect(count(text, "add")).toBe(1);
    expect(count(text, "matmul")).toBe(1);
  });

  test("is one where several with the same left side lie beside each other", () => {
    const side = [0, 1, 2].map((i) => drawn(`y${i}`, 5, i + 1));
    const beside = concat(
      side.map(({ value }) => matmul(x.value, value, { transA: true })),
      { axis: 1 },
    );
    const all = Object.assign({}, feeds, ...side.map(({ feed }) => feed));
    expect(count(simplified({ beside }, all), "matmul")).toBe(1);
  });
});

test("the gradient of a tied table is one product with rows added in their place", () => {
  const table = drawn("table", 40, 3);
  const ids = input("ids", "int32", [2, 2]);
  const feeds = { ...table.feed, ids: tensor("int32", [2, 2], Int32Array.of(3, 39, 3, 0)) };
  const rows = reshape(gather(table.value, ids), [4, 3]);
  const loss = sum(mul(matmul(rows, transpose(table.value, [1, 0])), 0.5));
  const [slope] = grad(sum(mul(loss, loss)), [table.value]);
  const text = simplified({ slope: slope! }, feeds);
  expect(count(text, "scatterAdd")).toBe(1);
  expect(text).toMatch(/scatterAdd\(%?\w+, %\d+, %\d+\)/);
});

test("what is simple stays as it is", () => {
  const x = drawn("x", 6, 4);
  const W = drawn("W", 8, 4);
  const scaled = mul(matmul(x.value, transpose(mul(W.value, 2), [1, 0])), 3);
  const [slope] = grad(sum(mul(scaled, scaled)), [W.value]);
  const once = simplify([slope!]);
  expect(simplify(once)).toEqual(once);
});
