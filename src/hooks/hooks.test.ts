import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { distance, type Packed, unpack, unpackAll } from "../../test/golden/tensors.ts";
import { constant, mul } from "../graph/index.ts";
import { type ModelConfig, makeModel, sitesOf } from "../models/index.ts";
import { ortBackend, referenceBackend } from "../runtime/index.ts";
import { f32, type Tensor, tensor } from "../tensor/tensor.ts";
import { captureProgram, runWithCache } from "./capture.ts";
import { ablate, edit, replaceWith } from "./interventions.ts";
import { lossWith } from "./loss.ts";

interface Case {
  config: ModelConfig;
  tokens: { shape: [number, number]; ids: number[] };
  weights: Record<string, Packed>;
  logits: Packed;
  sites: Record<string, Packed>;
  ce: Packed;
}

const golden = JSON.parse(readFileSync("test/golden/one-layer.json", "utf8"));
const cases: Case[] = [golden.oneLayer, golden.twoLayers];
const backend = ortBackend({ threads: 1 });
const close = 2e-5;

const modelOf = ({ config, weights }: Case) => makeModel(config, unpackAll(weights));
const tokensOf = ({ tokens }: Case): Tensor =>
  tensor("int32", tokens.shape, Int32Array.from(tokens.ids));

describe.each(cases)("$config.name", (golden) => {
  const { config } = golden;
  const model = modelOf(golden);
  const tokens = tokensOf(golden);

  test("the cache holds PyTorch's values, in one run or row by row", async () => {
    const sites = sitesOf(config);
    for (const outputLimit of [2 ** 26, 1]) {
      const { logits, cache } = await runWithCache(model, backend, tokens, {
        sites,
        logits: true,
        outputLimit,
      });
      expect(distance(logits!, unpack(golden.logits))).toBeLessThan(close);
      for (const site of sites)
        expect(distance(cache[site]!, unpack(golden.sites[site]!)), site).toBeLessThan(close);
    }
    expect((await runWithCache(model, backend, tokens, { sites })).logits).toBeUndefined();
  });

  test("putting a site's own value back changes nothing, at every site", async () => {
    for (const site of sitesOf(config)) {
      const own = unpack(golden.sites[site]!);
      const { logits } = await runWithCache(model, backend, tokens, {
        interventions: [replaceWith(site, own)],
      });
      expect(distance(logits!, unpack(golden.logits)), site).toBeLessThan(close);
    }
  });

  test("with the last block's writing to the stream patched in, the logits are another prompt's", async () => {
    const last = `blocks.${config.n_layers - 1}.hook_resid_post`;
    const other = tensor("int32", [2, 5], Int32Array.of(0, 1, 2, 3, 4, 6, 5, 4, 3, 2));
    const there = await runWithCache(model, backend, other, { sites: [last], logits: true });
    const { logits } = await runWithCache(model, backend, tokens, {
      interventions: [replaceWith(last, there.cache[last]!)],
    });
    expect(distance(logits!, there.logits!)).toBeLessThan(close);
  });

  test("cross entropy is PyTorch's, spliced or not, and NaN where nothing is predicted", async () => {
    const rows = { n_ctx: 5, rows: 2, tokens: Int32Array.from(golden.tokens.ids) };
    const plain = await lossWith(model, backend, rows);
    const site = "blocks.0.mlp.hook_post";
    const same = await lossWith(model, backend, rows, {
      site,
      replace: (acts, n) => {
        expect(acts.length).toBe(n * config.d_mlp);
        return acts;
      },
      outputLimit: 1,
    });
    const wanted = unpack(golden.ce).data;
    for (const { ce } of [plain, same])
      for (let row = 0; row < 2; row++) {
        for (let i = 0; i < 4; i++) expect(ce[row * 5 + i]).toBeCloseTo(wanted[row * 4 + i]!, 4);
        expect(ce[row * 5 + 4]).toBeNaN();
      }
    // Splicing zeros is ablating.
    const gone = await lossWith(model, backend, rows, { site, replace: (x) => x.map(() => 0) });
    const { logits } = await runWithCache(model, backend, tokens, {
      interventions: [ablate(site)],
    });
    expect(gone.ce[0]).toBeCloseTo(surprise(logits!, 0, golden.tokens.ids[1]!), 4);
    expect(gone.ce[0]).not.toBeCloseTo(plain.ce[0]!, 2);
  });
});

function surprise({ shape, data }: Tensor, at: number, target: number): number {
  const row = [...(data as Float32Array).subarray(at * shape[2]!, (at + 1) * shape[2]!)];
  return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[target]!;
}

test("an edit scales what it is told to, and no other site", async () => {
  const golden = cases[0]!;
  const site = "blocks.0.hook_mlp_out";
  const wanted = unpack(golden.sites[site]!);
  const { cache } = await runWithCache(modelOf(golden), referenceBackend(), tokensOf(golden), {
    sites: [site, "blocks.0.hook_resid_post", "blocks.0.hook_resid_mid"],
    interventions: [edit(site, (x) => mul(x, 3))],
  });
  expect(
    distance(
      cache[site]!,
      f32(
        wanted.shape,
        wanted.data.map((x) => 3 * x),
      ),
    ),
  ).toBeLessThan(close);
  const mid = cache["blocks.0.hook_resid_mid"]!.data;
  cache["blocks.0.hook_resid_post"]!.data.forEach((x, i) => {
    expect(x).toBeCloseTo(mid[i]! + 3 * wanted.data[i]!, 4);
  });
});

test("a capture goes no further than its site", () => {
  const model = modelOf(cases[1]!);
  const size = { batch: 2, pos: 5 };
  const early = captureProgram(model, { ...size, sites: ["blocks.0.hook_resid_pre"] });
  const late = captureProgram(model, { ...size, logits: true });
  const names = Buffer.from(early.bytes).toString("latin1");
  expect(names).not.toContain("MatMul");
  expect(Buffer.from(late.bytes).toString("latin1")).toContain("MatMul");
});

test("unknown sites, foreign tokens and edits that change a shape are refused", async () => {
  const golden = cases[0]!;
  const model = modelOf(golden);
  const refused = (tokens: Tensor, options: object) =>
    runWithCache(model, backend, tokens, options).then(
      () => "accepted",
      (error) => error.code,
    );
  const tokens = tokensOf(golden);
  expect(await refused(tokens, { sites: ["blocks.9.hook_resid_pre"] })).toBe("site/unavailable");
  expect(await refused(tokens, { interventions: [ablate("nowhere")] })).toBe("site/unknown");
  expect(await refused(tensor("int32", [1, 1], Int32Array.of(7)), {})).toBe("hooks/tokens");
  expect(await refused(tensor("int32", [1, 6], new Int32Array(6)), {})).toBe("hooks/tokens");
  expect(await refused(f32([1, 1], [0]), {})).toBe("hooks/tokens");
  const bad = edit("hook_embed", (x) => constant(f32([1], [x.shape.length])));
  expect(await refused(tokens, { interventions: [bad] })).toBe("shape/intervention");
});
