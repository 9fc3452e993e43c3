import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { distance, type Packed, unpack, unpackAll } from "../../test/golden/tensors.ts";
import { grad, input, mean, program, type Value } from "../graph/index.ts";
import type { Backend } from "../runtime/backend.ts";
import { ortBackend } from "../runtime/ort.ts";
import { referenceBackend } from "../runtime/reference.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { nextTokenLosses } from "./loss.ts";
import { weightInputs } from "./parameters.ts";
import { sitesOf } from "./sites.ts";
import { forward } from "./transformer.ts";

interface Case {
  config: ModelConfig;
  tokens: { shape: [number, number]; ids: number[] };
  weights: Record<string, Packed>;
  logits: Packed;
  sites: Record<string, Packed>;
  loss: number;
  gradients: Record<string, Packed>;
}

const golden = JSON.parse(readFileSync("test/golden/one-layer.json", "utf8"));
const cases: Case[] = [golden.oneLayer, golden.twoLayers];
const backends: Backend[] = [ortBackend({ threads: 1 }), referenceBackend()];

function tokensOf({ tokens }: Case): Tensor {
  return tensor("int32", tokens.shape, Int32Array.from(tokens.ids));
}

// float32 sums of a few dozen terms against float64 ones; the reference rounds only its results.
const tolerances: Record<string, number> = { onnxruntime: 2e-5, reference: 1e-6 };

describe.each(backends)("on $name", (backend) => {
  const tolerance = tolerances[backend.name]!;
  test.each(cases)("$config.name: logits and every site are PyTorch's", async (golden) => {
    const { config } = golden;
    const weights = weightInputs(config);
    const tokens = input("tokens", "int32", golden.tokens.shape);
    const seen: Record<string, Value> = {};
    const { logits } = forward(config, weights, tokens, {
      tap: (site, value) => {
        seen[site] = value;
        return value;
      },
    });
    expect(Object.keys(seen)).toEqual(sitesOf(config));
    expect(Object.keys(seen).sort()).toEqual(Object.keys(golden.sites).sort());
    const outputs = { ...seen, logits };
    const run = await backend.compile(
      program({ inputs: [tokens, ...Object.values(weights)], outputs }),
    );
    const got = await run.run({ ...unpackAll(golden.weights), tokens: tokensOf(golden) });
    expect(distance(got.logits!, unpack(golden.logits))).toBeLessThan(tolerance);
    for (const [site, wanted] of Object.entries(golden.sites))
      expect(distance(got[site]!, unpack(wanted)), site).toBeLessThan(tolerance);
  });

  test.each(cases)("$config.name: loss and gradients are PyTorch's", async (golden) => {
    const { config } = golden;
    const weights = weightInputs(config);
    const tokens = input("tokens", "int32", golden.tokens.shape);
    const loss = mean(nextTokenLosses(config, weights, tokens));
    const names = Object.keys(weights);
    const gradients = grad(loss, Object.values(weights));
    const outputs = Object.fromEntries(names.map((name, i) => [`grad ${name}`, gradients[i]!]));
    const run = await backend.compile(
      program({ inputs: [tokens, ...Object.values(weights)], outputs: { loss, ...outputs } }),
    );
    const got = await run.run({ ...unpackAll(golden.weights), tokens: tokensOf(golden) });
    expect((got.loss!.data as Float32Array)[0]).toBeCloseTo(golden.loss, 5);
    for (const name of names)
      expect(distance(got[`grad ${name}`]!, unpack(golden.gradients[name]!)), name).toBeLessThan(
        tolerance,
      );
  });
});
