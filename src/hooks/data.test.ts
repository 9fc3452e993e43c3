// Are interventions data: through JSON and back the same, and one hash for what is the same?
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeSafetensors } from "../formats/safetensors.ts";
import { referenceBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { interventionHash } from "./hash.ts";
import {
  edit,
  type Intervention,
  openInterventions,
  parseInterventions,
  patch,
  type SerialIntervention,
  serialInterventions,
  steer,
} from "./interventions.ts";
import { normals, sameBits, tinyModel, tinyTokens } from "./tiny.fixture.ts";

const model = tinyModel();
const tokens = tinyTokens(2, 5);
const backend = referenceBackend();

const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -4, max: 4 });
const span = fc.oneof(
  fc.integer({ min: -5, max: 4 }),
  fc.integer({ min: 0, max: 3 }).map((from) => ({ from, to: from + 1 })),
);
const where = fc.record(
  {
    sites: fc.constantFrom("resid_pre", "blocks.*.hook_mlp_out", [
      "hook_embed",
      "blocks.1.hook_resid_mid",
    ]),
    positions: fc.oneof(
      fc.constant("all" as const),
      fc.array(span, { minLength: 1, maxLength: 3 }),
    ),
    units: fc.array(fc.integer({ min: -6, max: 5 }), { minLength: 1, maxLength: 3 }),
    rows: fc.array(fc.integer({ min: -2, max: 1 }), { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ["sites"] },
);
const vector = fc
  .array(float, { minLength: 6, maxLength: 6 })
  .map((values) => ({ values: values.map((x) => x || 0.5) }));
const one: fc.Arbitrary<SerialIntervention> = fc.oneof(
  fc.record({ kind: fc.constant("ablate" as const), how: fc.constant("zero" as const), where }),
  fc.record({
    kind: fc.constant("ablate" as const),
    how: fc.constant("mean" as const),
    value: vector,
    where,
  }),
  fc.record({ kind: fc.constant("patch" as const), value: vector, where }),
  fc.record({ kind: fc.constant("steer" as const), direction: vector, coefficient: float, where }),
  fc.record({ kind: fc.constant("scale" as const), factor: float, where }),
  fc.record({
    kind: fc.constant("clamp" as const),
    what: fc.constant("direction" as const),
    direction: vector,
    to: fc.oneof(float, fc.record({ min: float }), fc.record({ max: float })),
    where,
  }),
);
const list = fc.array(one, { minLength: 1, maxLength: 4 });
// −0 is written as 0 by JSON.
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

describe("through JSON", () => {
  test("a list comes back as it was, with its hash", () => {
    fc.assert(
      fc.property(list, (by) => {
        const parsed = parseInterventions(plain(by));
        const again = parseInterventions(JSON.stringify(serialInterventions(parsed)));
        expect(again).toEqual(parsed);
        expect(interventionHash(again)).toBe(interventionHash(parsed));
        expect(Object.isFrozen(parsed[0])).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("the hash does not see the order of keys or how a tensor is held, and sees every number", () => {
    fc.assert(
      fc.property(list, (by) => {
        const parsed = parseInterventions(plain(by));
        const hash = interventionHash(parsed);
        const turned = JSON.parse(JSON.stringify(by), (_, part) =>
          part && typeof part === "object" && !Array.isArray(part)
            ? Object.fromEntries(Object.entries(part).reverse())
            : part,
        );
        expect(interventionHash(turned)).toBe(hash);
        const live = parsed.map((one) =>
          "direction" in one && "values" in one.direction
            ? { ...one, direction: f32([6], one.direction.values as number[]) }
            : one,
        );
        expect(interventionHash(live)).toBe(hash);
        const extra = { kind: "scale", factor: 2, where: { sites: "z" } } as const;
        const changes: SerialIntervention[][] = [
          [...parsed, extra],
          [extra, ...parsed],
        ];
        parsed.forEach((one, i) => {
          const rest = (changed: object) => [
            ...parsed.slice(0, i),
            { ...one, ...changed } as SerialIntervention,
            ...parsed.slice(i + 1),
          ];
          if (one.kind === "scale") changes.push(rest({ factor: one.factor + 1 }));
          if (one.kind === "steer") changes.push(rest({ coefficient: one.coefficient + 1 }));
          changes.push(rest({ where: { ...one.where, layers: [0] } }));
        });
        for (const changed of changes) expect(interventionHash(changed)).not.toBe(hash);
      }),
      { numRuns: 40 },
    );
  });

  test("what JSON cannot hold is refused, with what to do", () => {
    const large = patch("hook_embed", normals([2, 400, 6], 1));
    for (const by of [
      edit("hook_embed", (x) => x),
      large,
      patch("hook_embed", { hook_embed: normals([6], 1) }),
    ])
      expect(() => serialInterventions([by])).toThrow(
        expect.objectContaining({ code: "intervention/serial", hint: expect.any(String) }),
      );
    expect(() => interventionHash([edit("hook_embed", (x) => x)])).toThrow("no hash");
    for (const bad of ["{", "{}", '[{"kind":"edit"}]', "[null]", "[3]"])
      expect(() => parseInterventions(bad)).toThrow();
  });
});

/** The reference is exact between sites, and what is patched in was rounded to float32. */
function near(a: Tensor, b: Tensor): void {
  const most = (b.data as Float32Array).reduce((top, x) => Math.max(top, Math.abs(x)), 1);
  a.data.forEach((x, i) => {
    expect(Math.abs(Number(x) - Number(b.data[i]))).toBeLessThan(2e-5 * most);
  });
}

describe("composition", () => {
  const run = async (interventions: readonly Intervention[], at = "blocks.1.hook_resid_post") => {
    const { logits, cache } = await runWithCache(model, backend, tokens, {
      sites: [at],
      logits: true,
      interventions,
    });
    return { logits: logits!, resid: cache[at]! };
  };

  test("a list does at a site what its records do one after the other", async () => {
    const site = "blocks.0.hook_resid_post";
    await fc.assert(
      fc.asyncProperty(list, async (by) => {
        const here = by.map((one) => ({
          ...one,
          where: { ...one.where, sites: site },
        })) as Intervention[];
        const together = await run(here, site);
        // Each record's result is patched in before the next is applied.
        let last = (await run([], site)).resid;
        for (const one of here) last = (await run([patch(site, last), one], site)).resid;
        near(together.resid, last);
        near(together.logits, (await run([patch(site, last)])).logits);
      }),
      { numRuns: 12 },
    );
  });

  test("steering twice is steering by the sum, and scaling by one is nothing", async () => {
    const d = normals([6], 8);
    const twice = await run([steer("resid_mid", d, 1), steer("resid_mid", d, 2)]);
    const once = await run([steer("resid_mid", d, 3)]);
    once.logits.data.forEach((x, i) => {
      expect(twice.logits.data[i]).toBeCloseTo(x, 4);
    });
    const still = await run([{ kind: "scale", factor: 1, where: { sites: "**.hook_resid_*" } }]);
    expect(sameBits(still.logits, (await run([])).logits)).toBe(true);
  });
});

describe("files", () => {
  test("a tensor of a file is read once, checked, and written back by its name", async () => {
    const store = memoryStore();
    const direction = normals([6], 4);
    await writeSafetensors(store, "directions.safetensors", { happy: direction });
    const json = [
      {
        kind: "steer",
        direction: { file: "directions.safetensors", tensor: "happy" },
        coefficient: 2,
        where: { sites: "resid_mid" },
      },
    ];
    const named = parseInterventions(json);
    const opened = await openInterventions(named, store);
    const options = { interventions: opened };
    const { logits } = await runWithCache(model, backend, tokens, options);
    const wanted = await runWithCache(model, backend, tokens, {
      interventions: [steer("resid_mid", direction, 2)],
    });
    expect(sameBits(logits!, wanted.logits!)).toBe(true);
    const [written] = serialInterventions(opened);
    expect(written).toMatchObject({
      direction: { ...json[0]!.direction, hash: expect.any(String) },
    });
    // Pinned, the name stands for the numbers.
    expect(interventionHash([written!])).toBe(interventionHash(options.interventions));
    expect(interventionHash(options.interventions)).toBe(
      interventionHash([steer({ sites: "resid_mid" }, direction, 2)]),
    );
    await writeSafetensors(store, "directions.safetensors", { happy: normals([6], 5) });
    await expect(openInterventions([written!], store)).rejects.toMatchObject({
      code: "intervention/hash",
    });
    const lost = parseInterventions([
      { ...json[0], direction: { file: "no.safetensors", tensor: "a" } },
    ]);
    await expect(openInterventions(lost, store)).rejects.toMatchObject({ code: "storage/missing" });
  });
});
