// How does a number that a model computes change with what is inside it: gradients of any scalar of the
// outputs with respect to any site or weight.
import { check } from "../../base/errors.ts";
import { type Program, program, type Value } from "../../graph/index.ts";
import type { Model } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feedsOf } from "../apply.ts";
import { matchSites } from "../globs.ts";
import type { Intervention } from "../interventions.ts";
import { boundWeights, remembered } from "../memo.ts";
import { type Handed, nothing, type Plan, planInterventions } from "../plan.ts";
import { checkTokens } from "../rows.ts";
import { type Backward, exact } from "./backward.ts";
import {
  actsOf,
  type GradientSpec,
  gradientGraph,
  gradientOf,
  scalarName,
} from "./gradient-graph.ts";
import { checkMemory, estimateMemory, type MemoryEstimate } from "./memory.ts";
import { planScalar, type Scalar, type ScalarPlan } from "./scalar.ts";

export interface GradientRequest extends Handed {
  /** What is differentiated. */
  of: Scalar;
  /** Site strings, globs of them, or short names; only those asked for come out. */
  sites?: readonly string[];
  /**
   * Weights by TransformerLens name, or the checkpoint's tensors by theirs, in their own layout. A tied
   * pair is two weights with a gradient each; its one tensor has their sum.
   */
  weights?: readonly string[];
  /** Sites whose values come out too. */
  values?: readonly string[];
  /** Gradients are taken with the interventions in place, at what they leave at each site. */
  interventions?: readonly Intervention[];
  /** The loss is the mean or the sum of the rows' scalars. With the sum, rows do not share. */
  over?: "mean" | "sum";
  /** Another backward pass, as `relp`. */
  backward?: Backward;
  /** Bytes that a run may take beside the weights. */
  memoryLimit?: number;
  /** Told before anything is compiled or refused. */
  onEstimate?: (estimate: MemoryEstimate) => void;
}

export interface Gradients {
  /** Mean or sum over the rows. */
  value: number;
  /** The scalar of each row. */
  rows: Float32Array;
  /** By site string, shaped like the site. */
  sites: Record<string, Tensor<"float32">>;
  weights: Record<string, Tensor<"float32">>;
  values: Record<string, Tensor<"float32">>;
  memory: MemoryEstimate;
}

export const memoryLimitBytes = 4 * 2 ** 30;

/**
 * Runs int32 tokens [batch, pos] forward and back, once. Errors: `gradients/memory` naming what would
 * fit, `gradients/scalar`, `gradients/weight`, `gradients/backward`, and those of `runWithCache`.
 */
export async function gradients(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  request: GradientRequest,
): Promise<Gradients> {
  const made = gradientProgram(model, tokens, request);
  const { spec, memory } = made;
  const run = await backend.compile(made.program);
  const out = (await run.run(made.feeds)) as Record<string, Tensor<"float32">>;
  await run.release();
  const rows = out[scalarName]!.data;
  const total = rows.reduce((sum, x) => sum + x, 0);
  const pick = (names: readonly string[], of: (name: string) => string) =>
    Object.fromEntries(names.map((name) => [name, out[of(name)]!]));
  return {
    value: spec.over === "mean" ? total / rows.length : total,
    rows,
    sites: pick(spec.sites, gradientOf),
    weights: pick(spec.weights, gradientOf),
    values: pick(spec.values, actsOf),
    memory,
  };
}

/** What `gradients` would take, without running it. Refuses nothing for its size. */
export function estimateGradients(
  model: Model,
  tokens: Tensor,
  request: GradientRequest,
): MemoryEstimate {
  const { plan, scalar, spec } = understood(model, tokens, request);
  return estimateMemory(gradientGraph(model, plan, scalar, spec).outputs);
}

const estimates = new WeakMap<Program, MemoryEstimate>();

/** The program that `gradients` runs, and what it is fed. */
export function gradientProgram(
  model: Model,
  tokens: Tensor,
  request: GradientRequest,
): {
  program: Program;
  feeds: Record<string, Tensor>;
  spec: GradientSpec;
  memory: MemoryEstimate;
} {
  const { plan, scalar, spec } = understood(model, tokens, request);
  const { memoryLimit = memoryLimitBytes, onEstimate } = request;
  const bound = boundWeights(model);
  const admit = (memory: MemoryEstimate): void => {
    onEstimate?.(memory);
    if (memory.total > memoryLimit)
      checkMemory(memory, memoryLimit, alternatives(model, plan, scalar, spec, memoryLimit));
  };
  let admitted = false;
  const build = (): Program => {
    const graph = gradientGraph(model, plan, scalar, spec);
    const memory = estimateMemory(graph.outputs);
    // Before it is lowered: what does not fit costs nothing.
    admit(memory);
    admitted = true;
    const made = program(graph);
    estimates.set(made, memory);
    return made;
  };
  const made =
    scalar.key === undefined
      ? build()
      : remembered(["gradients", bound.key, scalar.key, spec], plan, build);
  const memory = estimates.get(made)!;
  if (!admitted) admit(memory);
  const feeds = { ...bound.feeds, ...feedsOf(plan, 0, spec.batch), ...scalar.feeds, tokens };
  return { program: made, feeds, spec, memory };
}

function understood(
  model: Model,
  tokens: Tensor,
  { of, sites, weights = [], values, interventions = [], feeds, splices, ...rest }: GradientRequest,
): { plan: Plan; scalar: ScalarPlan; spec: GradientSpec } {
  const { config } = model;
  checkTokens(config, tokens);
  const { values: known, stored } = boundWeights(model);
  const named = new Set([...Object.keys(known), ...Object.keys(stored)]);
  const odd = weights.find((name) => !named.has(name));
  check(odd === undefined, "gradients/weight", `the model has no weight ${odd}`, {
    where: config.name,
    got: odd,
    wanted: [...named].slice(0, 4).join(", "),
  });
  const matched = (list: readonly string[] = []): string[] =>
    list.length === 0 ? [] : matchSites(config, list);
  const [batch, pos] = tokens.shape as [number, number];
  return {
    plan: planInterventions(config, interventions, tokens, { feeds, splices }),
    scalar: planScalar(config, of, tokens),
    spec: {
      batch,
      pos,
      sites: matched(sites),
      values: matched(values),
      weights: [...new Set(weights)],
      over: rest.over ?? "mean",
      backward: rest.backward ?? exact,
    },
  };
}

/** Found by asking the same question of smaller graphs. */
function alternatives(
  model: Model,
  plan: Plan,
  scalar: ScalarPlan,
  spec: GradientSpec,
  limit: number,
) {
  const sizeOf = (change: Partial<GradientSpec>): number => {
    const graph: Record<string, Value> = gradientGraph(model, plan, scalar, {
      ...spec,
      ...change,
    }).outputs;
    return estimateMemory(graph).total;
  };
  const most = (to: number, fits: (n: number) => boolean): number => {
    let [low, high] = [0, to];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fits(middle)) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  // Functions and interventions may hold shapes of their own.
  const free = scalar.key !== undefined && plan === nothing;
  return {
    rows: () =>
      free && spec.batch > 1
        ? most(spec.batch - 1, (batch) => sizeOf({ batch }) <= limit)
        : undefined,
    positions: () =>
      free && spec.pos > 1 ? most(spec.pos - 1, (pos) => sizeOf({ pos }) <= limit) : undefined,
    bare: () => sizeOf({ sites: [], weights: [], values: [] }),
  };
}
