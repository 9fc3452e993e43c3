// Does an intervention do what TransformerLens' hooks do, written down as JSON?
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { distance, type Packed, unpack, unpackAll } from "../../test/golden/tensors.ts";
import { type ModelConfig, makeModel } from "../models/index.ts";
import { ortBackend, referenceBackend } from "../runtime/index.ts";
import { tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { parseInterventions, serialInterventions } from "./interventions.ts";
import { feedSites } from "./plan.ts";
import type { Cache } from "./sources.ts";

interface Case {
  name: string;
  interventions: object[];
  logits: Packed;
  resid: Packed;
}
const golden: {
  config: ModelConfig;
  tokens: number[][];
  other: number[][];
  weights: Record<string, Packed>;
  clean: Packed;
  there: Packed;
  site: string;
  cases: Case[];
} = JSON.parse(readFileSync("test/golden/interventions.json", "utf8"));
const rows = (ids: number[][]) => tensor("int32", [2, 6], Int32Array.from(ids.flat()));
const tokens = rows(golden.tokens);
const model = makeModel(golden.config, unpackAll(golden.weights));
const ort = ortBackend({ threads: 1 });

test("the untouched model is TransformerLens'", async () => {
  const { logits } = await runWithCache(model, ort, tokens);
  expect(distance(logits!, unpack(golden.clean))).toBeLessThan(2e-5);
});

test.each(golden.cases)("$name", async ({ interventions: json, ...wanted }) => {
  const interventions = parseInterventions(JSON.stringify(json));
  expect(parseInterventions(JSON.stringify(serialInterventions(interventions)))).toEqual(
    interventions,
  );
  for (const [backend, close] of [
    [ort, 1e-5],
    [referenceBackend(), 3e-6],
  ] as const) {
    const runs = { there: rows(golden.other), clean: tokens };
    const feeds: Record<string, Cache> = {};
    for (const [name, prompt] of Object.entries(runs)) {
      const sites = feedSites(model.config, interventions, name);
      if (sites.length > 0)
        feeds[name] = (await runWithCache(model, backend, prompt, { sites })).cache;
    }
    const { logits, cache } = await runWithCache(model, backend, tokens, {
      sites: [golden.site],
      logits: true,
      interventions,
      feeds,
    });
    expect(distance(logits!, unpack(golden.clean))).toBeGreaterThan(1e-3);
    expect(distance(logits!, unpack(wanted.logits))).toBeLessThan(close);
    expect(distance(cache[golden.site]!, unpack(wanted.resid))).toBeLessThan(close);
  }
});
