import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Packed, unpackAll } from "../../../test/golden/tensors.ts";
import { type ModelConfig, makeModel, sitesOf } from "../../models/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import { f32, tensor } from "../../tensor/tensor.ts";
import { runWithCache } from "../capture.ts";
import { replaceWith, scale } from "../interventions.ts";
import { attributionPatching, exactPatching, patchingAgreement } from "./attribution-patching.ts";
import { exact } from "./backward.ts";
import { integratedGradients } from "./integrated.ts";
import { rankCorrelation } from "./ranks.ts";
import type { Scalar } from "./scalar.ts";
import { attributionScores } from "./scores.ts";

interface Case {
  config: ModelConfig;
  tokens: { shape: [number, number]; ids: number[] };
  weights: Record<string, Packed>;
}
const golden = JSON.parse(readFileSync("test/golden/gradients.json", "utf8")) as Case[];
const backend = ortBackend({ threads: 1 });
const of: Scalar = { kind: "logitDifference", token: 3, against: 5 };
const worlds = golden.map((one) => ({
  name: one.config.name,
  config: one.config,
  model: makeModel(one.config, unpackAll(one.weights)),
  clean: tensor("int32", one.tokens.shape, Int32Array.from(one.tokens.ids)),
}));
const corrupt = tensor("int32", [2, 5], Int32Array.of(0, 1, 6, 3, 2, 4, 4, 5, 0, 1));

describe.each(worlds)("$name", ({ model, config, clean }) => {
  test.each([
    "hook_embed",
    "blocks.0.hook_resid_mid",
    "blocks.0.attn.hook_z",
    "blocks.1.mlp.hook_pre",
    "blocks.1.attn.hook_pattern",
    "blocks.0.attn.hook_attn_scores",
  ])("integrated gradients at %s add up to the change, within a hundredth", async (site) => {
    const { cache } = await runWithCache(model, backend, corrupt, { sites: [site] });
    const baseline = cache[site]!;
    const got = await integratedGradients(model, backend, clean, { of, site, baseline });
    expect(got.complete).toBe(true);
    const width = got.attributions.data.length / 2;
    for (let row = 0; row < 2; row++) {
      const sum = got.attributions.data
        .subarray(row * width, (row + 1) * width)
        .reduce((a, x) => a + x, 0);
      const whole = got.to[row]! - got.from[row]!;
      const size = (Math.abs(got.to[0]! - got.from[0]!) + Math.abs(got.to[1]! - got.from[1]!)) / 2;
      expect(Math.abs(sum - whole) / size).toBeLessThan(0.01);
    }
    // The ends of the way are runs with the one and the other value there.
    const { logits } = await runWithCache(model, backend, clean, {
      interventions: [replaceWith(site, baseline)],
    });
    const at = (token: number) => logits!.data[4 * config.d_vocab + token]!;
    expect(got.from[0]).toBeCloseTo(at(3) - at(5), 4);
  });

  test("RelP: at every point of the stream, scores are what an unbiased model's scalar is made of", async () => {
    // Without biases every part passes on all that it was given, so nothing is lost or made.
    const unbiased = makeModel(
      config,
      Object.fromEntries(
        Object.entries(model.weights).map(([name, { shape, data }]) => [
          name,
          f32(shape, /\.b(_\w+)?$/.test(name) ? data.map(() => 0) : data),
        ]),
      ),
    );
    const sites = sitesOf(config).filter((site) => /hook_resid_(pre|mid|post)$/.test(site));
    const { rows, scores } = await attributionScores(unbiased, backend, clean, { of, sites });
    expect(Object.keys(scores)).toHaveLength(6);
    const sums = (from: typeof scores, site: string) => {
      const { data } = from[site]!;
      const half = data.length / 2;
      return [data.subarray(0, half), data.subarray(half)].map((x) => x.reduce((a, b) => a + b, 0));
    };
    for (const site of sites)
      sums(scores, site).forEach((sum, row) => {
        expect(sum, site).toBeCloseTo(rows[row]!, 3);
      });
    // The exact gradient has no such sum to keep.
    const plain = await attributionScores(unbiased, backend, clean, { of, sites, backward: exact });
    const early = sums(plain.scores, "blocks.0.hook_resid_pre")[0]!;
    expect(Math.abs(early - rows[0]!)).toBeGreaterThan(1e-2);
  });

  test.each(["denoising", "noising"] as const)(
    "%s: exact effects are runs with one part patched",
    async (direction) => {
      const pair = { clean, corrupt };
      const site = "blocks.1.attn.hook_z";
      const request = { of, site, direction, per: ["pos", "head"] as const };
      const { effects, base, source } = await exactPatching(model, backend, pair, request);
      expect(effects.shape).toEqual([2, 5, 2]);
      const [to, from] = direction === "noising" ? [clean, corrupt] : [corrupt, clean];
      const { cache } = await runWithCache(model, backend, from, { sites: [site] });
      const patch = { sites: site, heads: [1], positions: [4] };
      const { logits } = await runWithCache(model, backend, to, {
        interventions: [{ kind: "patch", value: cache[site]!, where: patch }],
      });
      const at = (token: number) => logits!.data[9 * config.d_vocab + token]!;
      expect(base[1]! + effects.data[19]!).toBeCloseTo(at(3) - at(5), 4);
      expect(base).not.toEqual(source);
      const { estimated, exact } = await patchingAgreement(model, backend, pair, request);
      expect(exact).toEqual(effects.data);
      // Only the last position is read: what other positions do in the last layer's heads is nothing.
      estimated.forEach((x, i) => {
        if (Math.floor(i / 2) % 5 !== 4) expect(x).toBeCloseTo(0, 6);
      });
    },
  );
});

const { model, clean } = worlds[0]!;

test("where the scalar is linear in the site, estimates are exact, for any kind of part", async () => {
  const pair = { clean, corrupt };
  for (const per of [["pos"], ["d_mlp"], ["pos", "d_mlp"]] as const) {
    // logits are linear in the last neurons once the final norm's divisor is put in place.
    const { cache } = await runWithCache(model, backend, corrupt, {
      sites: ["ln_final.hook_scale"],
    });
    const request = {
      of,
      site: "blocks.1.mlp.hook_post",
      direction: "denoising",
      per,
      interventions: [replaceWith("ln_final.hook_scale", cache["ln_final.hook_scale"]!)],
    } as const;
    const estimated = await attributionPatching(model, backend, pair, request);
    const measured = await exactPatching(model, backend, pair, request);
    expect(estimated.effects.shape).toEqual(measured.effects.shape);
    estimated.effects.data.forEach((x, i) => {
      expect(x).toBeCloseTo(measured.effects.data[i]!, 4);
    });
  }
});

test("prompts that differ little are estimated in the right order, and prompts that differ much less well", async () => {
  const W_E = model.weights["embed.W_E"]!;
  const near = makeModel(model.config, {
    ...model.weights,
    "embed.W_E": f32(
      W_E.shape,
      W_E.data.map((x) => 0.02 * x),
    ),
  });
  const site = "blocks.0.attn.hook_z";
  const request = { of, site, direction: "noising", per: ["pos", "head"] } as const;
  const close = await patchingAgreement(near, backend, { clean, corrupt }, request);
  const far = await patchingAgreement(model, backend, { clean, corrupt }, request);
  expect(close.n).toBe(20);
  expect(close.rankCorrelation).toBeGreaterThan(0.97);
  expect(far.rankCorrelation).toBeLessThan(close.rankCorrelation);
});

test("gradients in integrated and patched runs see the interventions", async () => {
  const site = "blocks.0.hook_resid_mid";
  const interventions = [scale("blocks.1.hook_mlp_out", 0)];
  const plain = await integratedGradients(model, backend, clean, { of, site });
  const cut = await integratedGradients(model, backend, clean, { of, site, interventions });
  expect(cut.complete).toBe(true);
  expect(cut.to).not.toEqual(plain.to);
  const { logits } = await runWithCache(model, backend, clean, { interventions });
  expect(cut.to[1]).toBeCloseTo(logits!.data[9 * 7 + 3]! - logits!.data[9 * 7 + 5]!, 4);
});

test("a way that is too short says so", async () => {
  const request = { of, site: "hook_embed", parts: 1, maxSteps: 3, tolerance: 1e-6 };
  const got = await integratedGradients(model, backend, clean, request);
  expect(got.steps).toBe(3);
  expect(got.complete).toBe(false);
  expect(got.gap).toBeGreaterThan(1e-6);
});

test("pairs of other lengths, parts that are no axes and other baselines are refused", async () => {
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "accepted",
      (error) => error.code,
    );
  const short = tensor("int32", [2, 4], new Int32Array(8));
  const request = { of, site: "hook_embed", direction: "noising", per: ["pos"] } as const;
  const pair = { clean, corrupt: short };
  expect(await code(attributionPatching(model, backend, pair, request))).toBe("gradients/pair");
  const heads = { ...request, per: ["head"] as const };
  expect(await code(attributionPatching(model, backend, { clean, corrupt }, heads))).toBe(
    "gradients/axes",
  );
  const baseline = f32([1], [0]);
  expect(await code(integratedGradients(model, backend, clean, { ...request, baseline }))).toBe(
    "gradients/baseline",
  );
});

test("rank correlation shares ranks among ties (scipy.stats.spearmanr)", () => {
  expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 400])).toBeCloseTo(1, 12);
  expect(rankCorrelation([1, 2, 2, 3, 5], [2, 1, 4, 4, 5])).toBeCloseTo(0.7631578947368421, 12);
  expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNaN();
});
