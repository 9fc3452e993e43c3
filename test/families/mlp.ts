// What neurons and experts must compute.
import { hasExperts } from "../../src/models/config.ts";
import { activations, linear, map, plus, type Rows, softmax, swiglu, times } from "./rows.ts";
import { norm, type Scope } from "./scope.ts";

export function mlp(scope: Scope, layer: number, x: Rows): Rows {
  const { config, weights, claim } = scope;
  const at = `blocks.${layer}.mlp`;
  if (hasExperts(config, layer)) return experts(scope, at, x);
  const w = (name: string): Rows | undefined => weights[`${at}.${name}`];
  const reads = "neurons read by their weights";
  const act = activations[config.act_fn]!;
  const into = (name: string): Rows => linear(x, w(`W_${name}`)!, w(`b_${name}`));
  let neurons = act(claim(reads, `${at}.hook_pre`, into(config.gated ? "gate" : "in")));
  if (config.gated) neurons = times(neurons, claim(reads, `${at}.hook_pre_linear`, into("in")));
  if (config.act_fn === "solu_ln")
    neurons = norm(
      scope,
      `${at}.ln`,
      claim("neurons are act(pre)", `${at}.hook_mid`, neurons),
      "LN",
    );
  const post = claim("neurons are act(pre)", `${at}.hook_post`, neurons);
  return linear(post, w("W_out")!, w("b_out"));
}

/** Each token's k experts, found by sorting. */
function experts({ config, weights, claim }: Scope, at: string, x: Rows): Rows {
  const { n_experts, k, gating, normalize: divide, clamped } = config.experts!;
  const w = (name: string): Rows | undefined => weights[`${at}.${name}`];
  const router = claim(
    "the router reads by its weights",
    `${at}.hook_router`,
    linear(x, w("router.W")!, w("router.b")),
  );
  const keep = (of: Rows, instead: number): Rows =>
    map(of, (value, i) => {
      const row = Math.floor(i / n_experts) * n_experts;
      const rank = Array.from({ length: n_experts }, (_, e) => of.data[row + e]!).filter(
        (other) => other > value,
      );
      return rank.length < k ? value : instead;
    });
  const among = gating === "chosen" ? softmax(keep(router, -Infinity)) : softmax(router);
  const shares = claim("the router's shares are a softmax", `${at}.hook_expert_weights`, among);
  let kept = gating === "chosen" ? shares : keep(shares, 0);
  if (gating !== "chosen" && divide)
    kept = map(kept, (value, i) => {
      const row = Math.floor(i / n_experts) * n_experts;
      return (
        value /
        Array.from({ length: n_experts }, (_, e) => kept.data[row + e]!).reduce((a, b) => a + b)
      );
    });
  const gates = claim("k experts are used", `${at}.hook_expert_gates`, kept);
  let out: Rows | undefined;
  for (let e = 0; e < n_experts; e++) {
    const into = (name: string): Rows =>
      linear(x, w(`experts.${e}.W_${name}`)!, w(`experts.${e}.b_${name}`));
    const gate = into("gate");
    const neurons = clamped
      ? swiglu(gate, into("in"), clamped.alpha, clamped.limit)
      : times(activations[config.act_fn]!(gate), into("in"));
    const written = linear(neurons, w(`experts.${e}.W_out`)!, w(`experts.${e}.b_out`));
    const weighed = map(
      written,
      (value, i) => value * gates.data[Math.floor(i / config.d_model) * n_experts + e]!,
    );
    out = out === undefined ? weighed : plus(out, weighed);
  }
  return out!;
}
