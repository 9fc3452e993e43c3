// Do sweeps give the numbers that TransformerLens gives when each patch is made by hand?
import { expect, test } from "vitest";
import { isError } from "../base/errors.ts";
import { ortBackend } from "../runtime/index.ts";
import type { Direction } from "./pairs.ts";
import { patchingSweep } from "./patching.ts";
import { pathPatching } from "./path-patching.ts";
import { clean, numbers, other, readings, right, wrong } from "./reading.fixture.ts";

const ort = ortBackend({ threads: 1 });
const pairs = { clean, corrupted: other, right, wrong };
const cases = readings.flatMap((golden) =>
  (["noising", "denoising"] as const).map((direction) => ({ ...golden, direction })),
);

test.each(cases)("$name, $direction: each cell is the patch by hand", async (golden) => {
  const { model, read, direction } = golden;
  const [base, source] = [numbers(read[direction].base), numbers(read[direction].source)];
  const way = source[0]! + source[1]! - base[0]! - base[1]!;
  for (const [wanted, site, by] of [
    ["resid_pre", "resid_pre", ["position"]],
    ["z", "z", ["head"]],
    ["z_position", "z", ["head", "position"]],
    ["mlp_out", "mlp_out", ["position"]],
  ] as const) {
    const packed = read[direction][wanted];
    if (packed === undefined) continue;
    const sweep = await patchingSweep(model, ort, pairs, { site, direction, by });
    const all = numbers(packed);
    expect(sweep.cells).toHaveLength(all.length / 2);
    expect(sweep[direction === "noising" ? "clean" : "corrupted"][0]).toBeCloseTo(base[0]!, 4);
    for (const { layer, head = 0, position = 0, effect, differences } of sweep.cells) {
      const [n, m] = [by.length === 2 ? 2 : 1, by[0] === "head" && by.length === 1 ? 2 : 6];
      const cell = (layer * n + (n === 2 ? head : 0)) * m + (m === 2 ? head : position);
      const [a, b] = all.subarray(2 * cell, 2 * cell + 2);
      expect(differences[0]).toBeCloseTo(a!, 4);
      expect(differences[1]).toBeCloseTo(b!, 4);
      expect(effect.value).toBeCloseTo((a! + b! - base[0]! - base[1]!) / way, 3);
      expect(effect.controls[0]).toMatchObject({ kind: "unrelated-prompt", draws: 1 });
    }
  }
});

test.each(cases)("$name, $direction: the whole stream carries all of it", async (golden) => {
  const { model, direction } = golden;
  const options = { site: "resid_post", direction, layers: [1] } as const;
  const { cells } = await patchingSweep(model, ort, pairs, options);
  expect(cells).toHaveLength(1);
  expect(cells[0]!.effect.value).toBeCloseTo(1, 4);
  // A single pair's control are its own tokens in another order.
  const one = (x: typeof clean) => ({ ...x, shape: [1, 6], data: x.data.slice(0, 6) });
  const single = {
    clean: one(clean),
    corrupted: one(other),
    right: [right[0]!],
    wrong: [wrong[0]!],
  };
  const swept = await patchingSweep(model, ort, single, { ...options, draws: 3, limit: 1 });
  expect(swept.cells[0]!.effect.value).toBeCloseTo(1, 4);
  expect(swept.cells[0]!.effect.controls[0]!.draws).toBe(3);
});

const paths = readings.flatMap(({ name, model, read }) =>
  Object.entries(read.path).map(([mlps, wanted]) => ({ name, model, mlps, wanted })),
);
test.each(paths)("$name, MLPs $mlps: paths are those by hand", async ({ model, mlps, wanted }) => {
  const options = { direction: "noising" as Direction, mlps: mlps as "recompute" };
  const direct = await pathPatching(model, ort, pairs, { ...options, to: "logits", limit: 1 });
  const all = numbers(wanted.logits);
  expect(direct).toHaveLength(4);
  for (const [i, { differences }] of direct.entries())
    for (const row of [0, 1]) expect(differences[row]).toBeCloseTo(all[2 * i + row]!, 4);
  for (const input of ["q", "k", "v"] as const) {
    const to = [{ layer: 1, head: 1, input }];
    const found = await pathPatching(model, ort, pairs, { ...options, to });
    expect(found.map(({ layer, head }) => [layer, head])).toEqual([
      [0, 0],
      [0, 1],
    ]);
    for (const [i, { differences, effect }] of found.entries()) {
      for (const row of [0, 1])
        expect(differences[row]).toBeCloseTo(numbers(wanted[input])[2 * i + row]!, 4);
      expect(effect.controls[0]!.kind).toBe("unrelated-prompt");
    }
  }
});

test("what has no place, no difference or no path is refused with the reason", async () => {
  const { model } = readings[0]!;
  const code = async (run: Promise<unknown>) => {
    const error = await run.catch((e: unknown) => e);
    return isError(error) ? error.code : error;
  };
  const noising = { direction: "noising", site: "z" } as const;
  expect(await code(patchingSweep(model, ort, { ...pairs, corrupted: clean }, noising))).toBe(
    "circuits/pairs",
  );
  const short = { ...other, shape: [2, 5], data: other.data.slice(0, 10) };
  expect(await code(patchingSweep(model, ort, { ...pairs, corrupted: short }, noising))).toBe(
    "circuits/pairs",
  );
  expect(
    await code(patchingSweep(model, ort, pairs, { ...noising, site: "mlp_out", by: ["head"] })),
  ).toBe("circuits/sweep");
  expect(await code(patchingSweep(model, ort, pairs, { ...noising, site: "pattern" }))).toBe(
    "site/axes",
  );
  const beyond = { ...noising, by: ["position"], positions: [6] } as const;
  expect(await code(patchingSweep(model, ort, pairs, beyond))).toBe("circuits/sweep");
  const nobody = { direction: "noising", to: [{ layer: 1, head: 2, input: "k" }] } as const;
  expect(await code(pathPatching(model, ort, pairs, nobody))).toBe("circuits/path");
  const to = [{ layer: 0, head: 0, input: "q" }] as const;
  expect(await code(pathPatching(model, ort, pairs, { direction: "noising", to }))).toBe(
    "circuits/path",
  );
});
