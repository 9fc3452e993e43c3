import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Packed, unpack, unpackAll } from "../../../test/golden/tensors.ts";
import { random } from "../../base/random.ts";
import { add, input, interpret, slice, sum, type Value } from "../../graph/index.ts";
import { type ModelConfig, makeModel } from "../../models/index.ts";
import { ortBackend, referenceBackend } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { runWithCache } from "../capture.ts";
import { ablate, edit, replaceWith, scale } from "../interventions.ts";
import { boundWeights } from "../memo.ts";
import { nothing, planInterventions } from "../plan.ts";
import { exact, relp } from "./backward.ts";
import { gradientGraph, gradientOf } from "./gradient-graph.ts";
import { estimateGradients, gradients } from "./gradients.ts";
import { planScalar, type Scalar } from "./scalar.ts";

interface Run {
  kind: "logitDifference" | "kl" | "crossEntropy";
  relp: boolean;
  rows: number[];
  sites: Record<string, Packed>;
  weights: Record<string, Packed>;
}
interface Case {
  config: ModelConfig;
  tokens: { shape: [number, number]; ids: number[] };
  weights: Record<string, Packed>;
  reference: Packed;
  runs: Run[];
}

const golden = JSON.parse(readFileSync("test/golden/gradients.json", "utf8")) as Case[];
const backend = ortBackend({ threads: 1 });
const slow = referenceBackend();

const worlds = golden.map((one) => ({
  ...one,
  name: one.config.name,
  model: makeModel(one.config, unpackAll(one.weights)),
  ids: tensor("int32", one.tokens.shape, Int32Array.from(one.tokens.ids)),
  scalars: {
    logitDifference: { kind: "logitDifference", token: 3, against: 5 },
    kl: { kind: "kl", reference: unpack(one.reference) },
    crossEntropy: { kind: "crossEntropy" },
  } satisfies Record<string, Scalar>,
}));

/** The largest difference, as a share of the largest number wanted. */
function apart(got: Tensor, wanted: Tensor): number {
  expect(got.shape).toEqual(wanted.shape);
  const [a, b] = [got.data as Float32Array, wanted.data as Float32Array];
  const most = b.reduce((max, x) => Math.max(max, Math.abs(x)), 1e-6);
  return a.reduce((max, x, i) => Math.max(max, Math.abs(x - b[i]!)), 0) / most;
}

describe.each(worlds)("$name", ({ model, ids, scalars, runs, config }) => {
  const tiny = { batch: 2, pos: 5, over: "mean", values: [], weights: [], sites: [] } as const;
  const weights64 = Object.fromEntries(
    Object.entries(model.weights).map(([name, { shape, data }]) => [
      name,
      tensor("float64", shape, Float64Array.from(data)),
    ]),
  );

  test.each(runs)("$kind, RelP $relp: PyTorch's, on both backends", async (run) => {
    for (const by of [backend, slow]) {
      const got = await gradients(model, by, ids, {
        of: scalars[run.kind],
        sites: Object.keys(run.sites),
        weights: Object.keys(run.weights),
        backward: run.relp ? relp : exact,
      });
      run.rows.forEach((wanted, i) => {
        expect(got.rows[i]).toBeCloseTo(wanted, 4);
      });
      expect(got.value).toBeCloseTo((run.rows[0]! + run.rows[1]!) / 2, 4);
      for (const [site, wanted] of Object.entries(run.sites))
        expect(apart(got.sites[site]!, unpack(wanted)), site).toBeLessThan(1e-4);
      for (const [name, wanted] of Object.entries(run.weights))
        expect(apart(got.weights[name]!, unpack(wanted)), name).toBeLessThan(1e-4);
      expect(Object.keys(got.values)).toEqual([]);
    }
  });

  test("the reference is what central differences in float64 say, at 100 weights", () => {
    const rng = random(3);
    const names = Object.keys(model.weights);
    const scalar = planScalar(config, scalars.logitDifference, ids);
    const { outputs } = gradientGraph(model, nothing, scalar, {
      ...tiny,
      weights: names,
      backward: exact,
    });
    const { feeds } = boundWeights(model);
    expect(Object.keys(feeds).sort()).toEqual([...names].sort());
    const fed = { ...weights64, ...scalar.feeds, tokens: ids };
    const all = interpret(outputs, fed);
    const at = (name: string, i: number, by: number): number => {
      const { shape, data } = weights64[name]!;
      const moved = tensor(
        "float64",
        shape,
        data.map((x, j) => (j === i ? x + by : x)),
      );
      const { scalar } = interpret({ scalar: outputs.scalar! }, { ...fed, [name]: moved });
      return ((scalar!.data[0] as number) + (scalar!.data[1] as number)) / 2;
    };
    for (let n = 0; n < 100; n++) {
      const name = rng.pick(names);
      const i = rng.int(weights64[name]!.data.length);
      const difference = (at(name, i, 1e-4) - at(name, i, -1e-4)) / 2e-4;
      expect(Math.abs((all[gradientOf(name)]!.data[i] as number) - difference), name).toBeLessThan(
        1e-6,
      );
    }
  });

  test("and at sites, with an intervention in the way", () => {
    const rng = random(4);
    const sites = ["blocks.0.attn.hook_z", "blocks.1.hook_resid_pre", "blocks.0.mlp.hook_post"];
    for (const site of sites) {
      const shape = runs[0]!.sites[site]?.shape ?? [2, 5, config.d_model];
      const wide = site.endsWith("post") ? [2, 5, config.d_mlp] : shape;
      const delta = input("delta", "float32", wide);
      const plan = planInterventions(
        config,
        [scale("blocks.1.hook_mlp_out", 0.7), edit(site, (x) => add(x, delta))],
        ids,
      );
      const scalar = planScalar(
        config,
        { kind: "logProbability", token: [2, 6], pos: [3, -1] },
        ids,
      );
      const { outputs } = gradientGraph(model, plan, scalar, {
        ...tiny,
        sites: [site],
        backward: exact,
      });
      const size = wide.reduce((a, b) => a * b, 1);
      const run = (i: number, by: number, of: Record<string, Value>) => {
        const moved = new Float64Array(size);
        moved[i] = by;
        const slots = { "intervention 0 factor": tensor("float32", [], Float32Array.of(0.7)) };
        const feeds = { ...weights64, ...scalar.feeds, ...slots, tokens: ids };
        return interpret(of, { ...feeds, delta: tensor("float64", wide, moved) });
      };
      const all = run(0, 0, outputs)[gradientOf(site)]!.data;
      const { scalar: rows } = outputs;
      const total = (i: number, by: number) => {
        const { data } = run(i, by, { rows: rows! }).rows!;
        return ((data[0] as number) + (data[1] as number)) / 2;
      };
      for (let n = 0; n < 6; n++) {
        const i = rng.int(size);
        const difference = (total(i, 1e-4) - total(i, -1e-4)) / 2e-4;
        expect(Math.abs((all[i] as number) - difference), site).toBeLessThan(1e-6);
      }
    }
  });

  test("RelP changes no value forward, to the bit", async () => {
    const options = { of: scalars.logitDifference, values: ["**.hook_resid_post", "**.hook_post"] };
    const plain = await gradients(model, backend, ids, options);
    const held = await gradients(model, backend, ids, { ...options, backward: relp });
    expect(held.rows).toEqual(plain.rows);
    for (const [site, { data }] of Object.entries(plain.values))
      expect(held.values[site]!.data, site).toEqual(data);
  });
});

const { model, ids, config, scalars } = worlds[0]!;

test("values are those of a recording, after the interventions", async () => {
  const interventions = [ablate({ sites: "blocks.0.attn.hook_z", heads: [1] })];
  const sites = ["blocks.0.hook_attn_out", "blocks.1.hook_resid_post"];
  const got = await gradients(model, backend, ids, {
    of: { kind: "logit", token: 1 },
    sites: ["blocks.0.attn.hook_z"],
    values: sites,
    interventions,
  });
  const { cache, logits } = await runWithCache(model, backend, ids, {
    sites,
    logits: true,
    interventions,
  });
  for (const site of sites) expect(apart(got.values[site]!, cache[site]!)).toBeLessThan(1e-5);
  expect(got.rows[1]).toBeCloseTo(logits!.data[9 * 7 + 1]!, 4);
  // The gradient is at what the intervention left, so a head that was ablated still has one.
  const z = got.sites["blocks.0.attn.hook_z"]!;
  expect(z.data.some((x, i) => Math.floor(i / 3) % 2 === 1 && x !== 0)).toBe(true);
});

test("behind a value that is put there, gradients are zero", async () => {
  const site = "blocks.1.hook_resid_pre";
  const { cache } = await runWithCache(model, backend, ids, { sites: [site] });
  const { sites } = await gradients(model, backend, ids, {
    of: scalars.kl,
    sites: ["blocks.0.hook_mlp_out", site],
    interventions: [replaceWith(site, cache[site]!)],
  });
  expect(sites["blocks.0.hook_mlp_out"]!.data.every((x) => x === 0)).toBe(true);
  expect(sites[site]!.data.some((x) => x !== 0)).toBe(true);
});

test("a function of code is as good as a record, and the sum is the rows' own gradients", async () => {
  const wanted = await gradients(model, backend, ids, {
    of: { kind: "logit", token: 4, pos: 2 },
    sites: ["hook_embed"],
    over: "sum",
  });
  const pick = (logits: Value): Value =>
    sum(slice(slice(logits, { axis: 1, start: 2, end: 3 }), { axis: 2, start: 4, end: 5 }), {
      axes: [1, 2],
    });
  const got = await gradients(model, backend, ids, {
    of: { kind: "function", of: ({ logits }) => pick(logits) },
    sites: ["hook_embed"],
    over: "sum",
  });
  expect(got.rows).toEqual(wanted.rows);
  expect(apart(got.sites.hook_embed!, wanted.sites.hook_embed!)).toBeLessThan(1e-5);
  const first = tensor("int32", [1, 5], (ids.data as Int32Array).slice(0, 5));
  const alone = await gradients(model, backend, first, {
    of: { kind: "logit", token: 4, pos: 2 },
    sites: ["hook_embed"],
    over: "sum",
  });
  const row = tensor("float32", [1, 5, 6], got.sites.hook_embed!.data.slice(0, 30));
  expect(apart(alone.sites.hook_embed!, row)).toBeLessThan(1e-5);
});

test("a site can be what is differentiated", async () => {
  const got = await gradients(model, backend, ids, {
    of: {
      kind: "function",
      of: ({ site }) => sum(site("blocks.0.mlp.hook_pre"), { axes: [1, 2] }),
    },
    sites: ["blocks.0.mlp.hook_pre", "blocks.1.hook_resid_mid"],
    over: "sum",
  });
  expect(got.sites["blocks.0.mlp.hook_pre"]!.data.every((x) => x === 1)).toBe(true);
  expect(got.sites["blocks.1.hook_resid_mid"]!.data.every((x) => x === 0)).toBe(true);
});

test("what does not fit is refused before it is made, with what would", async () => {
  const of: Scalar = { kind: "crossEntropy" };
  const request = { of, sites: ["**.hook_resid_post"], weights: ["embed.W_E"] };
  const memory = estimateGradients(model, ids, request);
  const outputs = 2 * 4 * (2 * 2 * 5 * 6 + 7 * 6 + 2);
  expect(memory.outputs).toBe(outputs);
  expect(memory.total).toBe(memory.work + outputs);
  let told = 0;
  const error = await gradients(model, backend, ids, {
    ...request,
    memoryLimit: memory.total - 1,
    onEstimate: ({ total }) => {
      told = total;
    },
  }).catch((thrown) => thrown);
  expect(told).toBe(memory.total);
  expect(error.code).toBe("gradients/memory");
  expect(error.hint).toMatch(/1 rows at a time, or rows of 4 positions, or fewer sites/);
  const fits = { ...request, memoryLimit: memory.total };
  expect((await gradients(model, backend, ids, fits)).memory).toEqual(memory);
});

test("what is not there is refused by name", async () => {
  const code = (request: object, of: Scalar = { kind: "logit", token: 1 }) =>
    gradients(model, backend, ids, { of, ...request }).then(
      () => "accepted",
      (error) => error.code,
    );
  expect(await code({ weights: ["blocks.9.attn.W_Q"] })).toBe("gradients/weight");
  expect(await code({ sites: ["blocks.9.hook_z"] })).toMatch(/^site\//);
  expect(await code({}, { kind: "logit", token: 7 })).toBe("gradients/scalar");
  expect(await code({}, { kind: "logit", token: [1, 2, 3] })).toBe("gradients/scalar");
  expect(await code({}, { kind: "logit", token: 1, pos: 5 })).toBe("gradients/scalar");
  const none = tensor("int32", [2, 5], new Int32Array(10).fill(-1));
  expect(await code({}, { kind: "crossEntropy", targets: none })).toBe("gradients/scalar");
  expect(await code({}, { kind: "function", of: ({ logits }) => logits })).toBe("gradients/scalar");
  expect(config.d_vocab).toBe(7);
});
