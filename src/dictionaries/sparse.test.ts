import fc from "fast-check";
import { expect, it } from "vitest";
import { concatRows, type SparseRows, toColumns } from "./sparse.ts";

const sparseRows = fc
  .record({ n_tokens: fc.integer({ min: 0, max: 12 }), k: fc.integer({ min: 1, max: 4 }) })
  .chain(({ n_tokens, k }) => {
    const size = { minLength: n_tokens * k, maxLength: n_tokens * k };
    return fc.record({
      n_tokens: fc.constant(n_tokens),
      k: fc.constant(k),
      index: fc.array(fc.integer({ min: 0, max: 6 }), size).map((a) => Int32Array.from(a)),
      value: fc.array(fc.integer({ min: -1, max: 3 }), size).map((a) => Float32Array.from(a)),
    });
  });

const triples = ({ n_tokens, k, index, value }: SparseRows): string[] =>
  Array.from({ length: n_tokens * k }, (_, p) => p)
    .filter((p) => value[p]! > 0)
    .map((p) => `${index[p]} ${Math.floor(p / k)} ${value[p]}`)
    .sort();

it("columns hold the same pairs as rows, by feature, tokens ascending", () => {
  fc.assert(
    fc.property(sparseRows, (rows) => {
      const columns = toColumns(rows, 7);
      const found: string[] = [];
      for (let f = 0; f < 7; f++)
        for (let at = columns.offsets[f]!; at < columns.offsets[f + 1]!; at++) {
          found.push(`${f} ${columns.token[at]} ${columns.value[at]}`);
          if (at > columns.offsets[f]!)
            expect(columns.token[at]!).toBeGreaterThanOrEqual(columns.token[at - 1]!);
        }
      expect(found.sort()).toEqual(triples(rows));
    }),
  );
});

it("refuses a feature that the dictionary does not have", () => {
  const rows = { n_tokens: 1, k: 1, index: Int32Array.of(7), value: Float32Array.of(1) };
  expect(() => toColumns(rows, 7)).toThrow("no such feature");
});

it("joined batches hold all rows in order", () => {
  const part = (f: number) => ({
    n_tokens: 1,
    k: 1,
    index: Int32Array.of(f),
    value: Float32Array.of(f),
  });
  expect(concatRows([part(1), part(2)])).toEqual({
    n_tokens: 2,
    k: 1,
    index: Int32Array.of(1, 2),
    value: Float32Array.of(1, 2),
  });
  expect(() => concatRows([part(1), { ...part(2), k: 2 }])).toThrow("different k");
});
