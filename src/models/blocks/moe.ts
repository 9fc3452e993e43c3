// Which experts a token uses, and what they write together.
import {
  add,
  div,
  greater,
  mul,
  oneHot,
  reshape,
  slice,
  softmax,
  sum,
  topK,
  type Value,
  where,
} from "../../graph/index.ts";
import { linear } from "./linear.ts";
import { expert } from "./mlp.ts";
import type { Place } from "./scope.ts";

/**
 * x [batch, pos, d_model] → what is written. Every expert reads every token and is weighted, with 0
 * where it was not chosen: shapes must not depend on the choice.
 */
export function experts(place: Place, x: Value): Value {
  const { config, weights, tap, at } = place;
  const { n_experts, k, gating, normalize = false } = config.experts!;
  const router = linear(x, weights[`${at}.router.W`]!, weights[`${at}.router.b`]);
  const logits = tap(`${at}.hook_router`, router);
  let gates: Value;
  if (gating === "chosen") {
    const chosen = chosenOf(logits, k, n_experts);
    const among = softmax(where(chosen, logits, -Infinity), { axis: 2 });
    gates = tap(`${at}.hook_expert_weights`, among);
  } else {
    const all = tap(`${at}.hook_expert_weights`, softmax(logits, { axis: 2 }));
    const kept = where(chosenOf(all, k, n_experts), all, 0);
    gates = normalize ? div(kept, sum(kept, { axes: [2], keepDims: true })) : kept;
  }
  gates = tap(`${at}.hook_expert_gates`, gates);
  let out: Value | undefined;
  for (let e = 0; e < n_experts; e++) {
    const written = expert({ ...place, at: `${at}.experts.${e}` }, x);
    const weighted = mul(written, slice(gates, { axis: 2, start: e, end: e + 1 }));
    out = out === undefined ? weighted : add(out, weighted);
  }
  return out!;
}

/** bool [batch, pos, expert]: the k largest. */
function chosenOf(x: Value, k: number, n_experts: number): Value {
  const { indices } = topK(x, k, { axis: 2 });
  const [batch, pos] = x.shape as [number, number, number];
  const hot = oneHot(reshape(indices, [batch, pos, k]), n_experts);
  return greater(sum(hot, { axes: [2] }), 0);
}
