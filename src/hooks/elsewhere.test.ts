// Dictionaries that are spliced in, means over texts, other prompts' values, and how far predictions moved.
import { describe, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { add, input, matmul, mul, relu, reshape, type Value } from "../graph/index.ts";
import { ortBackend, referenceBackend } from "../runtime/index.ts";
import { f32, type Tensor, tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { compareLogits } from "./compare.ts";
import { ablate, clamp, type Splice, splice } from "./interventions.ts";
import { lossWith } from "./loss.ts";
import { meanActivations, resampleActivations } from "./means.ts";
import { normals, sameBits, tinyModel, tinyTokens } from "./tiny.fixture.ts";

const model = tinyModel();
const tokens = tinyTokens(2, 5);
const backend = referenceBackend();
const site = "blocks.0.hook_resid_post";

/** relu(x·W + b)·V with 10 features, whose weights are inputs. */
function coder(seed: number): Splice & { W: Tensor; V: Tensor; b: Tensor } {
  const [W, V, b] = [normals([6, 10], seed), normals([10, 6], seed + 1), normals([10], seed + 2)];
  const inputs = [
    input("W", "float32", [6, 10]),
    input("V", "float32", [10, 6]),
    input("b", "float32", [10]),
  ];
  const flat = (x: Value, by: Value) => {
    const rows = x.shape.slice(0, -1);
    const n = rows.reduce((a, c) => a * c, 1);
    return reshape(matmul(reshape(x, [n, x.shape.at(-1)!]), by), [...rows, by.shape[1]!]);
  };
  return {
    name: "tiny",
    hash: `relu coder 6 to 10`,
    d_sae: 10,
    encode: (x) => relu(add(flat(x, inputs[0]!), inputs[2]!)),
    decode: (features) => flat(features, inputs[1]!),
    inputs,
    feeds: { W, V, b },
    W,
    V,
    b,
  };
}

describe("a dictionary spliced in", () => {
  const dictionary = coder(20);
  const { W, V, b } = dictionary;
  const number = (of: Tensor, i: number) => Number(of.data[i]);
  const feature = (x: number[], f: number): number =>
    Math.max(
      0,
      x.reduce((sum, xi, i) => sum + xi * number(W, i * 10 + f), number(b, f)),
    );
  const decoded = (features: number[]) =>
    Array.from({ length: 6 }, (_, i) =>
      features.reduce((sum, a, f) => sum + a * number(V, f * 6 + i), 0),
    );
  const run = async (
    by: ReturnType<typeof splice>[],
    on = backend,
    splices: Splice[] = [dictionary],
  ) => runWithCache(model, on, tokens, { sites: [site], logits: true, interventions: by, splices });
  const vectors = ({ data }: Tensor) =>
    Array.from({ length: 10 }, (_, p) => [...(data as Float32Array).subarray(p * 6, p * 6 + 6)]);

  test("without its error it is the reconstruction, where it was told to", async () => {
    const clean = vectors((await run([])).cache[site]!);
    const { cache } = await run([
      splice({ sites: site, positions: [1] }, dictionary, { error: "drop" }),
    ]);
    vectors(cache[site]!).forEach((got, p) => {
      const x = clean[p]!;
      const features = Array.from({ length: 10 }, (_, f) => feature(x, f));
      const wanted = p % 5 === 1 ? decoded(features) : x;
      wanted.forEach((value, i) => {
        expect(got[i]).toBeCloseTo(value, 4);
      });
    });
  });

  test("with its error nothing moves, to the bit, until a feature is edited", async () => {
    const ort = ortBackend({ threads: 1 });
    const clean = await run([], ort);
    const kept = await run([splice(site, dictionary, { error: "keep" })], ort);
    expect(sameBits(kept.logits!, clean.logits!)).toBe(true);
    const features = [
      { index: 3, to: 2 },
      { index: 7, factor: 0 },
    ];
    const edited = await run([splice(site, dictionary, { error: "keep", features })]);
    const before = vectors(clean.cache[site]!);
    vectors(edited.cache[site]!).forEach((got, p) => {
      const change = Array.from({ length: 10 }, (_, f) =>
        f === 3 ? 2 - feature(before[p]!, 3) : f === 7 ? -feature(before[p]!, 7) : 0,
      );
      decoded(change).forEach((d, i) => {
        expect(got[i]).toBeCloseTo(before[p]![i]! + d, 4);
      });
    });
    // Clamping that feature by its two directions is the same.
    const column = f32(
      [6],
      Array.from({ length: 6 }, (_, i) => number(W, i * 10 + 3)),
    );
    const row = f32(
      [6],
      Array.from({ length: 6 }, (_, i) => number(V, 3 * 6 + i)),
    );
    const one = await run([splice(site, dictionary, { error: "keep", features: [features[0]!] })]);
    const clamped = await run([
      clamp(site, 2, { encode: column, decode: row, bias: number(b, 3) }),
    ]);
    clamped.logits!.data.forEach((x, i) => {
      expect(x).toBeCloseTo(one.logits!.data[i]!, 4);
    });
  });

  test("another dictionary, or another feature than it has, is refused", async () => {
    const by = splice(site, dictionary, { error: "drop" });
    await expect(run([by], backend, [{ ...dictionary, hash: "other" }])).rejects.toMatchObject({
      code: "intervention/hash",
    });
    const far = splice(site, dictionary, { error: "drop", features: [{ index: 10, to: 1 }] });
    await expect(run([far])).rejects.toMatchObject({ code: "intervention/feature" });
    const bad = { ...dictionary, decode: (x: Value) => mul(x, 1) };
    await expect(run([by], backend, [{ ...bad, hash: dictionary.hash }])).rejects.toMatchObject({
      code: "shape/intervention",
    });
  });
});

describe("means", () => {
  const rows = { n_ctx: 5, rows: 7, tokens: tinyTokens(7, 5, 3).data };
  const all = tensor("int32", [7, 5], rows.tokens);

  test("are those of all tokens, or of the tokens at each position", async () => {
    const post = "blocks.1.mlp.hook_post";
    const pattern = "blocks.0.attn.hook_pattern";
    const { cache } = await runWithCache(model, backend, all, { sites: [post, pattern] });
    const skip = rows.tokens[0]!;
    for (const outputLimit of [2 ** 26, 2000]) {
      const means = await meanActivations(model, backend, rows, {
        sites: ["blocks.1.mlp.*_post"],
        without: [skip],
        outputLimit,
      });
      expect(means[post]!.shape).toEqual([8]);
      const kept = Array.from({ length: 35 }, (_, t) => t).filter((t) => rows.tokens[t] !== skip);
      for (let u = 0; u < 8; u++) {
        const wanted =
          kept.reduce((sum, t) => sum + cache[post]!.data[t * 8 + u]!, 0) / kept.length;
        expect(means[post]!.data[u]).toBeCloseTo(wanted, 5);
      }
    }
    const means = await meanActivations(model, backend, rows, {
      sites: [post, pattern],
      per: "position",
    });
    expect(means[pattern]!.shape).toEqual([2, 5, 5]);
    for (let i = 0; i < 50; i++) {
      let wanted = 0;
      for (let row = 0; row < 7; row++) wanted += cache[pattern]!.data[row * 50 + i]! / 7;
      expect(means[pattern]!.data[i]).toBeCloseTo(wanted, 5);
    }
    await expect(meanActivations(model, backend, rows, { sites: [pattern] })).rejects.toMatchObject(
      { code: "site/axes" },
    );
  });

  test("put in their place, every token of the site is alike", async () => {
    const means = await meanActivations(model, backend, rows, { sites: ["mlp_out"] });
    const { cache } = await runWithCache(model, backend, tokens, {
      sites: ["blocks.1.hook_mlp_out"],
      interventions: [ablate("mlp_out", { how: "mean", value: { feed: "means" } })],
      feeds: { means },
    });
    const [got] = Object.values(cache);
    got!.data.forEach((x, i) => {
      expect(x).toBe(means["blocks.1.hook_mlp_out"]!.data[i % 6]);
    });
  });
});

test("a resampled value is another prompt's, never the row's own", async () => {
  const pool = tinyTokens(4, 5, 6);
  const { cache, from } = await resampleActivations(model, backend, pool, {
    sites: ["mlp_post"],
    rows: 4,
    random: random(2),
    own: pool,
  });
  from.forEach((prompt, row) => {
    expect(prompt).not.toBe(row);
  });
  const { cache: all } = await runWithCache(model, backend, pool, { sites: ["mlp_post"] });
  for (const name of Object.keys(all))
    from.forEach((prompt, row) => {
      const part = (of: Tensor, at: number) => [
        ...(of.data as Float32Array).slice(at * 40, at * 40 + 40),
      ];
      expect(part(cache[name]!, row)).toEqual(part(all[name]!, prompt));
    });
  const lonely = { sites: ["mlp_post"], rows: 1, random: random(1) };
  const one = tinyTokens(1, 5);
  await expect(
    resampleActivations(model, backend, one, { ...lonely, own: one }),
  ).rejects.toMatchObject({ code: "hooks/tokens" });
});

describe("how far predictions moved", () => {
  test("is KL and cross entropy, worked out by hand", () => {
    const ids = tensor("int32", [1, 2], Int32Array.of(0, 1));
    const [p, q] = [
      [0.5, 0.25, 0.25],
      [0.25, 0.5, 0.25],
    ] as const;
    const logits = (of: readonly number[]) =>
      f32(
        [1, 2, 3],
        [...of, ...p].map((x) => Math.log(x) + 3),
      );
    const moved = compareLogits(logits(p), logits(q), ids);
    expect(moved.kl[0]).toBeCloseTo(0.5 * Math.log(2) - 0.25 * Math.log(2), 6);
    expect(moved.kl[1]).toBeCloseTo(0, 6);
    expect(moved.dCE[0]).toBeCloseTo(-Math.log(2), 6);
    expect(moved.dCE[1]).toBeNaN();
    expect([...moved.turned]).toEqual([1, 0]);
    expect(moved.means.dCE).toBeCloseTo(-Math.log(2), 6);
  });

  test("agrees with the losses of a model that is changed in the same way", async () => {
    const interventions = [ablate({ sites: "mlp_out", layers: [0], positions: [1, 2] })];
    const rows = { n_ctx: 5, rows: 2, tokens: tokens.data };
    const before = await lossWith(model, backend, rows);
    const after = await lossWith(model, backend, rows, { interventions });
    const clean = await runWithCache(model, backend, tokens);
    const changed = await runWithCache(model, backend, tokens, { interventions });
    const { dCE } = compareLogits(clean.logits!, changed.logits!, tokens);
    dCE.forEach((d, i) => {
      if (i % 5 === 4) expect(d).toBeNaN();
      else expect(d).toBeCloseTo(after.ce[i]! - before.ce[i]!, 4);
    });
    // What is spliced by hand comes after the interventions.
    const both = await lossWith(model, backend, rows, {
      interventions,
      site: "blocks.0.hook_mlp_out",
      replace: (acts) => {
        expect(acts.subarray(6, 18).every((x) => x === 0)).toBe(true);
        return acts;
      },
    });
    both.ce.forEach((x, i) => {
      expect(x || 0).toBeCloseTo(after.ce[i] || 0, 4);
    });
  });
});
