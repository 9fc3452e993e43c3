// Which graph computes a scalar and its gradients: a forward pass, the interventions in it, and back.
import { check } from "../../base/errors.ts";
import { grad, input, mean, sum, type Value } from "../../graph/index.ts";
import { forward, type Model } from "../../models/index.ts";
import { tapOf } from "../apply.ts";
import { boundWeights } from "../memo.ts";
import type { Plan } from "../plan.ts";
import { type Backward, backwardTap } from "./backward.ts";
import type { ScalarPlan } from "./scalar.ts";
import { surrogates } from "./surrogate.ts";

export interface GradientSpec {
  readonly batch: number;
  readonly pos: number;
  /** Of these the gradient comes out, and of these the values. */
  readonly sites: readonly string[];
  readonly values: readonly string[];
  readonly weights: readonly string[];
  readonly over: "mean" | "sum";
  readonly backward: Backward;
}

export const gradientOf = (name: string): string => `gradient ${name}`;
export const actsOf = (name: string): string => `value ${name}`;
export const scalarName = "scalar";

/**
 * `scalar` [batch] (or []), `gradient …` of each site and weight, `value …` of each site whose value
 * is asked for, and the inputs that they read beside the weights in `boundWeights`.
 * Errors: `site/never` for sites that the forward pass does not come to.
 */
export function gradientGraph(
  model: Model,
  plan: Plan,
  scalar: ScalarPlan,
  { batch, pos, sites, values, weights, over, backward }: GradientSpec,
): { inputs: Value[]; outputs: Record<string, Value> } {
  const { config } = model;
  const bound = boundWeights(model);
  const tokens = input("tokens", "int32", [batch, pos]);
  const changes = tapOf(plan, batch);
  const stands = surrogates();
  const seen = new Map<string, Value>();
  const apart = new Set([...sites, ...values]);
  const tap = backwardTap(config, backward, stands, (site, value) => {
    const changed = changes.tap(site, value);
    // A value of its own: a site that is only a view of others (`hook_result`) comes into being
    // when what the tap returns is another value, and two sites never share a gradient.
    const own = apart.has(site) ? stands.twin(changed) : changed;
    seen.set(site, own);
    return own;
  });
  const { logits } = forward(config, bound.values, tokens, { tap });
  const size = scalar.build({ batch, pos });
  const rows = size.value({
    logits,
    site: (name) => {
      const value = seen.get(name);
      check(value !== undefined, "site/never", `the forward pass never came to ${name}`, {
        where: name,
      });
      return value;
    },
  });
  changes.check([...apart].filter((site) => !seen.has(site)));
  const loss = over === "mean" ? mean(rows) : sum(rows);
  const wrt = [
    ...sites.map((site): [string, Value] => [site, seen.get(site)!]),
    ...weights.map((name): [string, Value] => [name, bound.values[name] ?? bound.stored[name]!]),
  ];
  const grads = grad(
    loss,
    wrt.map(([, value]) => value),
  );
  const named: [string, Value][] = [
    [scalarName, rows],
    ...wrt.map(([name], i): [string, Value] => [gradientOf(name), grads[i]!]),
    ...values.map((site): [string, Value] => [actsOf(site), seen.get(site)!]),
  ];
  const settled = stands.settle(named.map(([, value]) => value));
  return {
    inputs: [tokens, ...bound.inputs, ...changes.inputs, ...size.inputs],
    outputs: Object.fromEntries(named.map(([name], i) => [name, settled[i]!])),
  };
}
