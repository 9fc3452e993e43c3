// Which parts of the backward pass are changed, so that activation × gradient adds up to the output.
// RelP on neurons (Transluce, arXiv 2601.22594): patterns and norm scales are held, an activation
// passes gradients like the line through zero and itself, a product shares them between its factors.
import { check } from "../../base/errors.ts";
import { add, div, equal, mul, softmax, type Value, where } from "../../graph/index.ts";
import { activations } from "../../models/blocks/activation.ts";
import type { ModelConfig, Tap } from "../../models/index.ts";
import type { Surrogates } from "./surrogate.ts";

/** What is left out is exact, and so is a cap on the logits. The forward pass is the same to the bit, whatever is chosen. */
export interface Backward {
  /** No gradient to queries and keys. */
  readonly patterns?: "held";
  /** What norms divide by is a constant. */
  readonly norms?: "held";
  /** f(x) counts as x · (f(x) / x), the ratio a constant. */
  readonly activations?: "ratio";
  /** Gate and linear side of a gated MLP get half each. */
  readonly products?: "half";
}

export const exact: Backward = Object.freeze({});

export const relp: Backward = Object.freeze({
  patterns: "held",
  norms: "held",
  activations: "ratio",
  products: "half",
});

/** The slope at zero, where f(x) / x is none: f'(0). Relu has the one that autograd libraries use. */
const slopeAtZero = { relu: 0, relu2: 0, gelu: 0.5, gelu_new: 0.5, quick_gelu: 0.5, silu: 0.5 };

/**
 * A tap that makes stand-ins of the values it sees and hands them to `next` (interventions).
 * Errors: `gradients/backward` where the neurons are no sites.
 */
export function backwardTap(
  config: ModelConfig,
  by: Backward,
  { stop, instead }: Surrogates,
  next: Tap,
): Tap {
  const neurons = by.activations !== undefined || by.products !== undefined;
  check(
    !neurons || config.experts === undefined,
    "gradients/backward",
    "experts' neurons have no rule: only some tokens use them",
    { where: config.name, got: by, wanted: "patterns and norms held, the rest exact" },
  );
  const seen = new Map<string, Value>();

  const ratio = (x: Value, y: Value): Value => {
    if (config.act_fn === "solu" || config.act_fn === "solu_ln") return softmax(x, { axis: -1 });
    const zero = equal(x, 0);
    return where(zero, slopeAtZero[config.act_fn], div(y, where(zero, 1, x)));
  };
  /** y = f(x), or f(x) · u of a gated MLP. */
  const rule = (y: Value, x: Value, u: Value | undefined): Value => {
    if (u === undefined && by.activations === undefined) return y;
    const f = u === undefined ? y : activations[config.act_fn](x);
    const line = by.activations === undefined ? f : mul(x, stop(ratio(x, f)));
    if (u === undefined) return instead(y, line);
    if (by.products === undefined)
      return by.activations === undefined ? y : instead(y, mul(line, u));
    return instead(y, mul(add(mul(line, stop(u)), mul(stop(f), u)), 0.5));
  };

  return (site, value) => {
    let out = value;
    if (by.patterns !== undefined && site.endsWith(".hook_pattern")) out = stop(value);
    else if (by.norms !== undefined && site.endsWith(".hook_scale")) out = stop(value);
    else if (neurons) {
      const [, at, name] = /^(.*\.mlp)\.hook_(mid|post)$/.exec(site) ?? [];
      // With a norm after it, SoLU's product is at hook_mid; hook_post is linear in it.
      const here = config.act_fn === "solu_ln" ? "mid" : "post";
      const x = name === here ? seen.get(`${at}.hook_pre`) : undefined;
      if (x !== undefined) out = rule(value, x, seen.get(`${at}.hook_pre_linear`));
    }
    const tapped = next(site, out);
    if (neurons && /\.mlp\.hook_pre(_linear)?$/.test(site)) seen.set(site, tapped);
    return tapped;
  };
}
