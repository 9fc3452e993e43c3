// Gradients through the variants that families are made of.
import { expect, test } from "vitest";
import { random } from "../../base/random.ts";
import { interpret, program } from "../../graph/index.ts";
import { type ModelConfig, makeModel, weightShapes } from "../../models/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { boundWeights } from "../memo.ts";
import { nothing } from "../plan.ts";
import { exact, relp } from "./backward.ts";
import { gradientGraph, gradientOf } from "./gradient-graph.ts";
import { gradients } from "./gradients.ts";
import { planScalar, type Scalar } from "./scalar.ts";

const base: ModelConfig = {
  name: "tiny",
  n_layers: 2,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 6,
  d_vocab: 7,
  n_ctx: 6,
  act_fn: "silu",
  normalization: "RMS",
  positions: "rotary",
  rotary: { base: 100, dim: 4 },
};
const none = { qkv: false, o: false, mlp: false, norm: false, unembed: false };
const variants: [string, Partial<ModelConfig>][] = [
  ["Llama", { gated: true, n_key_value_heads: 1, biases: none }],
  [
    "Gemma 2",
    {
      gated: true,
      act_fn: "gelu_new",
      norm_offset: 1,
      norm_placement: "sandwich",
      attn_softcap: 3,
      logits_softcap: 4,
      embed_multiplier: 2,
      window: 2,
      biases: none,
    },
  ],
  ["NeoX", { normalization: "LN", act_fn: "gelu", parallel: "separate" }],
  ["GPT-J", { normalization: "LN", act_fn: "gelu_new", parallel: "shared" }],
  ["OLMo 2", { gated: true, norm_placement: "post", qk_norm: "whole", biases: none }],
  ["Qwen 3", { gated: true, qk_norm: "head", biases: none }],
  ["SoLU", { normalization: "LN", act_fn: "solu_ln" }],
  [
    "experts",
    {
      gated: true,
      experts: { n_experts: 3, k: 2, gating: "softmax", normalize: true },
      biases: none,
    },
  ],
  ["sinks", { attn_sinks: true, gated: true }],
];
const tokens = tensor("int32", [1, 5], Int32Array.of(1, 4, 2, 6, 3));
const of: Scalar = { kind: "logitDifference", token: 3, against: 5 };
const backend = ortBackend({ threads: 1 });

function modelOf(change: Partial<ModelConfig>) {
  const config = { ...base, ...change };
  const rng = random(5);
  const weights = Object.entries(weightShapes(config)).map(([name, shape]) => {
    const near = name.endsWith(".w") ? 1 - (config.norm_offset ?? 0) : 0;
    const data = Array.from({ length: sizeOf(shape) }, () => near + rng.normal() / 2);
    return [name, f32(shape, data)];
  });
  return makeModel(config, Object.fromEntries(weights));
}

test.each(variants)(
  "%s: central differences, and float32 like the reference",
  async (_, change) => {
    const model = modelOf(change);
    const names = Object.keys(model.weights);
    const scalar = planScalar(model.config, of, tokens);
    const graph = gradientGraph(model, nothing, scalar, {
      batch: 1,
      pos: 5,
      over: "mean",
      sites: [],
      values: [],
      weights: names,
      backward: exact,
    });
    const wide = ({ shape, data }: Tensor) =>
      tensor("float64", shape, Float64Array.from(data as Float32Array));
    const { feeds } = boundWeights(model);
    const fed: Record<string, Tensor> = { ...scalar.feeds, tokens };
    for (const name of names) fed[name] = wide(feeds[name]!);
    const all = interpret(graph.outputs, fed);
    const rng = random(6);
    const at = (name: string, i: number, by: number): number => {
      const moved = wide(fed[name]!);
      (moved.data as Float64Array)[i]! += by;
      const of = { scalar: graph.outputs.scalar! };
      return interpret(of, { ...fed, [name]: moved }).scalar!.data[0] as number;
    };
    for (let n = 0; n < 30; n++) {
      const name = rng.pick(names);
      const i = rng.int(fed[name]!.data.length);
      const difference = (at(name, i, 1e-5) - at(name, i, -1e-5)) / 2e-5;
      const got = all[gradientOf(name)]!.data[i] as number;
      expect(Math.abs(got - difference), `${name} ${i}`).toBeLessThan(
        1e-6 * Math.max(1, Math.abs(difference)),
      );
    }
    const run = await backend.compile(program(graph));
    const fast = await run.run({ ...feeds, ...scalar.feeds, tokens });
    for (const name of names) {
      const wanted = all[gradientOf(name)]!.data as Float64Array;
      const most = wanted.reduce((max, x) => Math.max(max, Math.abs(x)), 1e-6);
      (fast[gradientOf(name)]!.data as Float32Array).forEach((x, i) => {
        expect(Math.abs(x - wanted[i]!) / most, name).toBeLessThan(1e-4);
      });
    }
  },
);

test.each(variants)("%s: RelP scores add up, or are refused with the reason", async (_, change) => {
  const model = modelOf(change);
  const site = "blocks.1.hook_resid_pre";
  const options = { of, sites: [site], values: [site], over: "sum", backward: relp } as const;
  if (change.experts !== undefined) {
    const error = await gradients(model, backend, tokens, options).catch((thrown) => thrown);
    expect(error.code).toBe("gradients/backward");
    return;
  }
  const unbiased = makeModel(
    model.config,
    Object.fromEntries(
      Object.entries(model.weights).map(([name, { shape, data }]) => [
        name,
        f32(shape, /\.b(_\w+)?$/.test(name) ? data.map(() => 0) : data),
      ]),
    ),
  );
  const { rows, sites, values } = await gradients(unbiased, backend, tokens, options);
  const sum = sites[site]!.data.reduce((all, g, i) => all + g * values[site]!.data[i]!, 0);
  // A cap on the logits is no line through zero, and has no rule.
  if (change.logits_softcap === undefined) expect(sum).toBeCloseTo(rows[0]!, 3);
});
