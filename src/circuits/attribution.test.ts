// Is what each part writes along a logit what TransformerLens says, and do the parts sum to the logit?
import { expect, test } from "vitest";
import { isError } from "../base/errors.ts";
import { tinyModel, tinyTokens } from "../hooks/tiny.fixture.ts";
import { ortBackend } from "../runtime/index.ts";
import {
  type Attribution,
  accumulated,
  attributionFigures,
  directAttribution,
} from "./attribution.ts";
import { attributionSums } from "./attribution-sums.ts";
import { numbers, readings, right, tokens, wrong } from "./reading.fixture.ts";

const ort = ortBackend({ threads: 1 });
const answers = { right, wrong };

const total = ({ parts }: Attribution, row: number): number =>
  parts.reduce((sum, { logits }) => sum + logits[row]!, 0);

test.each(readings)("$name: shares of heads and neurons are TransformerLens'", async (golden) => {
  const { model, read } = golden;
  const found = await directAttribution(model, ort, tokens, answers);
  for (const kind of ["head", "neuron"] as const) {
    const packed = kind === "head" ? read.attribution.heads : read.attribution.neurons;
    const own = found.parts.filter(({ part }) => part.kind === kind);
    if (packed === undefined) {
      expect(own).toEqual([]);
      continue;
    }
    // [part, row]
    const wanted = numbers(packed);
    expect(own).toHaveLength(wanted.length / 2);
    for (const [i, { logits }] of own.entries())
      for (const row of [0, 1]) expect(logits[row]).toBeCloseTo(wanted[2 * i + row]!, 4);
  }
});

test.each(readings)("$name: the stream's running sum is TransformerLens'", async (golden) => {
  const { model, read } = golden;
  const steps = accumulated(await directAttribution(model, ort, tokens, answers));
  const labels = steps.map(({ layer, after }) => {
    if (after === "mlp" || model.config.attn_only)
      return layer === 1 ? "final_post" : `${layer + 1}_pre`;
    return after === "embed" ? "0_pre" : `${layer}_mid`;
  });
  expect(labels).toEqual(read.attribution.accumulated_labels);
  const wanted = numbers(read.attribution.accumulated);
  for (const [i, { logits }] of steps.entries())
    for (const row of [0, 1]) expect(logits[row]).toBeCloseTo(wanted[2 * i + row]!, 4);
});

test.each([
  ["layer norm", {}],
  ["RMS norms with an offset", { normalization: "RMS", norm_offset: 1 }],
  ["no norm", { normalization: "none" }],
  ["no final norm", { final_norm: false }],
  ["norms around sublayers", { norm_placement: "sandwich", resid_multiplier: 0.7 }],
  ["norms after sublayers", { norm_placement: "post", resid_multiplier: 1.3 }],
  ["parallel sublayers", { parallel: "shared" }],
  [
    "rotary positions and multipliers",
    {
      positions: "rotary",
      rotary: { base: 100, dim: 2 },
      embed_multiplier: 2,
      logits_multiplier: 0.3,
    },
  ],
  [
    "shared keys, gates and no biases",
    {
      n_key_value_heads: 1,
      gated: true,
      act_fn: "silu",
      biases: { qkv: false, o: false, mlp: false, norm: false, unembed: false },
    },
  ],
  ["experts", { gated: true, experts: { n_experts: 3, k: 2, gating: "softmax" } }],
] as const)("with %s the parts sum to the logits' difference", async (_, change) => {
  const model = tinyModel(3, change);
  const rows = tinyTokens(3, 5);
  for (const of of [{ right: [1, 2, 3], wrong: [4, 5, 8], at: [-1, 0, 2] }, { right: [0, 7, 6] }]) {
    const found = await directAttribution(model, ort, rows, of);
    for (const row of [0, 1, 2]) {
      expect(Math.abs(found.difference[row]!)).toBeGreaterThan(1e-3);
      expect(Math.abs(total(found, row) - found.difference[row]!)).toBeLessThan(1e-4);
    }
  }
});

test("every mean share stands beside the same part's share in random differences", async () => {
  const { model } = readings[0]!;
  const figures = await attributionFigures(model, ort, tokens, answers, { draws: 8 });
  const found = await directAttribution(model, ort, tokens, answers);
  expect(figures).toHaveLength(found.parts.length);
  for (const [i, { part, logits }] of figures.entries()) {
    expect(part).toEqual(found.parts[i]!.part);
    const [a, b] = found.parts[i]!.logits;
    expect(logits.value).toBeCloseTo((a! + b!) / 2, 10);
    expect(logits.controls[0]).toMatchObject({ kind: "random-tokens", draws: 8 });
  }
});

test("a layer's share is the stream's step, and its control that of the same random pairs", async () => {
  const { model } = readings[0]!;
  const figures = await attributionFigures(model, ort, tokens, answers, { draws: 5 });
  const sums = attributionSums(figures, (part) =>
    "layer" in part
      ? `${part.layer} ${part.kind === "head" || part.kind === "attn_bias" ? "attn" : "mlp"}`
      : undefined,
  );
  const steps = accumulated(await directAttribution(model, ort, tokens, answers));
  const mean = (x: Float64Array) => (x[0]! + x[1]!) / 2;
  for (const [i, { logits }] of sums.entries()) {
    const step = mean(steps[i + 1]!.logits) - mean(steps[i]!.logits);
    expect(logits.value).toBeCloseTo(step, 6);
  }
  // All parts together are the whole difference, in every draw too.
  const [all] = attributionSums(figures, () => "all");
  const found = await directAttribution(model, ort, tokens, answers);
  expect(all!.logits.value).toBeCloseTo(mean(found.difference), 3);
  const totals = [0, 1, 2, 3, 4].map((draw) => figures.reduce((s, f) => s + f.drawn[draw]!, 0));
  expect(all!.logits.controls[0]!.value).toBeCloseTo(totals.reduce((a, b) => a + b) / 5, 6);
});

test("capped logits and answers that are no tokens are refused", async () => {
  const rows = tinyTokens(2, 4);
  const refused = async (run: Promise<unknown>): Promise<unknown> => run.catch((error) => error);
  const capped = tinyModel(1, { logits_softcap: 30 });
  const code = async (run: Promise<unknown>) => {
    const error = await refused(run);
    return isError(error) ? error.code : error;
  };
  expect(await code(directAttribution(capped, ort, rows, { right: [1, 2] }))).toBe(
    "circuits/attribution",
  );
  for (const bad of [{ right: [1] }, { right: [1, 9] }, { right: [1, 2], at: [0, 4] }])
    expect(await code(directAttribution(tinyModel(), ort, rows, bad))).toBe("circuits/answers");
});
