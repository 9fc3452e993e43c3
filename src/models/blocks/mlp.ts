// What the neurons of a block compute, plain or gated.
import { add, clip, mul, sigmoid, type Value } from "../../graph/index.ts";
import { activations } from "./activation.ts";
import { linear } from "./linear.ts";
import { norm } from "./norm.ts";
import type { Place } from "./scope.ts";

/** x [batch, pos, d_model] → what is written. */
export function mlp({ config, weights, tap, at }: Place, x: Value): Value {
  const w = (name: string): Value | undefined => weights[`${at}.${name}`];
  const act = activations[config.act_fn];
  let neurons: Value;
  if (config.gated) {
    const gate = act(tap(`${at}.hook_pre`, linear(x, w("W_gate")!, w("b_gate"))));
    neurons = mul(gate, tap(`${at}.hook_pre_linear`, linear(x, w("W_in")!, w("b_in"))));
  } else neurons = act(tap(`${at}.hook_pre`, linear(x, w("W_in")!, w("b_in"))));
  if (config.act_fn === "solu_ln") {
    const { eps = 1e-5 } = config;
    const mid = tap(`${at}.hook_mid`, neurons);
    const [weight, bias] = [w("ln.w"), w("ln.b")];
    neurons = norm(mid, { kind: "LN", eps, weight, bias, tap, at: `${at}.ln` });
  }
  return linear(tap(`${at}.hook_post`, neurons), w("W_out")!, w("b_out"));
}

/** One expert: its neurons are no site, because only some tokens use them. */
export function expert({ config, weights, at }: Place, x: Value): Value {
  const w = (name: string): Value | undefined => weights[`${at}.${name}`];
  const act = activations[config.act_fn];
  const linearIn = linear(x, w("W_in")!, w("b_in"));
  const gate = config.gated ? linear(x, w("W_gate")!, w("b_gate")) : undefined;
  const clamped = config.experts?.clamped;
  const neurons =
    gate === undefined
      ? act(linearIn)
      : clamped === undefined
        ? mul(act(gate), linearIn)
        : swigluClamped(gate, linearIn, clamped);
  return linear(neurons, w("W_out")!, w("b_out"));
}

/** gpt-oss: min(g, limit) · σ(alpha · …) · (clip(u, ±limit) + 1). */
function swigluClamped(
  gate: Value,
  up: Value,
  { alpha, limit }: { alpha: number; limit: number },
): Value {
  const g = clip(gate, { max: limit });
  const u = clip(up, { min: -limit, max: limit });
  return mul(mul(g, sigmoid(mul(g, alpha))), add(u, 1));
}
