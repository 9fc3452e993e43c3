import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FeatureListSchema } from "../analysis/page.ts";
import { FeatureQuerySchema } from "../api/schemas.ts";
import { featureRow } from "./bundle.fixture.ts";
import { indexFeatures, listFeatures } from "./features.ts";

const rows = Array.from({ length: 64 }, (_, i) => featureRow(i));
const index = indexFeatures(rows);
const list = (query: Record<string, string>) =>
  listFeatures(index, FeatureQuerySchema.parse({ limit: "500", ...query }));
const indices = (query: Record<string, string>) => list(query).rows.map((row) => row.index);

describe("the feature list", () => {
  test("is sorted by r, best first, and what has no r comes last either way", () => {
    const down = list({}).rows.map((row) => row.reading?.estimate.value ?? null);
    const up = list({ order: "asc" }).rows.map((row) => row.reading?.estimate.value ?? null);
    const known = down.filter((r) => r !== null);
    expect(known).toEqual([...known].sort((a, b) => b - a));
    expect(up.slice(0, known.length)).toEqual([...known].reverse());
    expect(down.slice(known.length).every((r) => r === null)).toBe(true);
    expect(up.slice(known.length).every((r) => r === null)).toBe(true);
  });

  test.each(["density", "peak", "neuron", "index"] as const)("is sorted by %s", (sort) => {
    const value = (i: number) => {
      const row = rows[i]!;
      return sort === "neuron" ? (row.reading?.neuron ?? null) : row[sort];
    };
    const values = indices({ sort, order: "asc" })
      .map(value)
      .filter((v) => v !== null);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(indices({ sort })).toHaveLength(64);
  });

  test("is filtered by what each filter says, all together", () => {
    expect(indices({ alive: "1" }).every((i) => i % 8 !== 7)).toBe(true);
    expect(indices({ alive: "0" })).toHaveLength(8);
    expect(indices({ context: "hebrew,latex" }).every((i) => i % 4 === 1 || i % 4 === 3)).toBe(
      true,
    );
    expect(indices({ verdict: "holds" }).every((i) => i % 4 === 0)).toBe(true);
    expect(indices({ verdict: "none" })).toHaveLength(16);
    expect(indices({ min_r: "0.95" }).sort()).toEqual([0, 1, 2, 3, 4]);
    const dense = indices({ min_density: "0.001", max_density: "0.01" });
    expect(dense.length).toBeGreaterThan(0);
    expect(dense.every((i) => [1, 2].includes(i % 5))).toBe(true);
    expect(indices({ context: "hebrew", min_r: "0.95", alive: "1" })).toEqual([1]);
  });

  test("is searched in name, context, active tokens and the next token, in any case", () => {
    expect(indices({ q: "FIRES ON LATEX" }).every((i) => i % 4 === 3)).toBe(true);
    expect(indices({ q: "peak12" })).toEqual([12]);
    expect(indices({ q: "next33" })).toEqual([33]);
    // Tokens that are not active do not count.
    expect(indices({ q: "x20" })).toEqual([]);
    expect(list({ q: "(.*" }).matching).toBe(0);
  });

  test("comes in parts that neither overlap nor leave out", () => {
    const sorts = fc.constantFrom("r", "density", "peak", "index", "neuron");
    fc.assert(
      fc.property(sorts, fc.integer({ min: 1, max: 70 }), (sort, limit) => {
        const all: number[] = [];
        for (let offset = 0; offset < 64; offset += limit)
          all.push(...indices({ sort, limit: `${limit}`, offset: `${offset}` }));
        expect([...all].sort((a, b) => a - b)).toEqual(rows.map((row) => row.index));
      }),
    );
    expect(list({ offset: "1000" })).toMatchObject({ rows: [], matching: 64, total: 64 });
  });

  test("counts every living feature in its facets, whatever is filtered", () => {
    const { facets } = FeatureListSchema.parse(list({ q: "peak12" }));
    const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
    expect(facets).toMatchObject({ alive: 56, dead: 8 });
    expect(sum(facets.r.counts)).toBe(48);
    expect(sum(facets.density.counts)).toBe(56);
    expect(facets.r.edges).toHaveLength(facets.r.counts.length + 1);
    expect(facets.contexts.reduce((n, { features }) => n + features, 0)).toBe(48);
    expect(sum(Object.values(facets.verdicts))).toBe(64);
  });
});
