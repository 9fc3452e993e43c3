// One step of Adam as graph values: clipping by global norm, decoupled weight decay (Kingma & Ba
// 2015; Loshchilov & Hutter 2019). The same arithmetic as torch.optim.AdamW.
import {
  add,
  div,
  maximum,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Value,
} from "../graph/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

export interface AdamSettings {
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
}

export interface AdamOptions extends AdamSettings {
  /** Gradients that together are longer than this are scaled down to it. */
  clipNorm?: number;
  /** Multiplies every gradient first: 1/n where the loss is a sum over n. */
  gradScale?: number;
  /** Which weights decay; default: all, at the rates' `weightDecay`. */
  decays?: (name: string) => boolean;
}

type Values = Readonly<Record<string, Value>>;

export interface AdamState {
  m: Values;
  v: Values;
  /** float32 [3]: fed with `adamRates`. */
  rates: Value;
}

/** What changes from step to step, computed in float64. `step` counts from 1. */
export function adamRates(
  step: number,
  lr: number,
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 }: AdamSettings = {},
): Tensor<"float32"> {
  // p −= lr·m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), arranged so that few passes are needed.
  const root = Math.sqrt(1 - beta2 ** step);
  const rate = (lr * root) / (1 - beta1 ** step);
  return tensor("float32", [3], Float32Array.of(rate, eps * root, 1 - lr * weightDecay));
}

/** New parameters and moments, and the gradients' global norm (after `gradScale`, before clipping). */
export function adamUpdate(
  params: Values,
  grads: Values,
  state: AdamState,
  {
    beta1 = 0.9,
    beta2 = 0.999,
    weightDecay = 0,
    clipNorm,
    gradScale = 1,
    decays = () => true,
  }: AdamOptions = {},
): {
  params: Record<string, Value>;
  m: Record<string, Value>;
  v: Record<string, Value>;
  gradNorm: Value;
} {
  const names = Object.keys(params);
  const rate = (i: number): Value =>
    reshape(slice(state.rates, { axis: 0, start: i, end: i + 1 }), []);
  const [lr, eps, keep] = [rate(0), rate(1), rate(2)];

  const squares = Object.fromEntries(names.map((name) => [name, square(grads[name]!)]));
  const total = names.map((name) => sum(squares[name]!)).reduce((a, b) => add(a, b));
  const gradNorm = mul(sqrt(total), gradScale);
  // clipNorm / max(norm, clipNorm) is 1 for short gradients.
  const scale =
    clipNorm === undefined ? undefined : mul(div(clipNorm, maximum(gradNorm, clipNorm)), gradScale);
  const scaled = (share: number, power: 1 | 2): Value | number =>
    scale === undefined
      ? share * gradScale ** power
      : mul(power === 1 ? scale : square(scale), share);
  const [ofGrad, ofSquare] = [scaled(1 - beta1, 1), scaled(1 - beta2, 2)];

  const out = { params: {}, m: {}, v: {} } as Record<"params" | "m" | "v", Record<string, Value>>;
  for (const name of names) {
    const m = add(mul(state.m[name]!, beta1), mul(grads[name]!, ofGrad));
    const v = add(mul(state.v[name]!, beta2), mul(squares[name]!, ofSquare));
    const p = params[name]!;
    const kept = weightDecay !== 0 && decays(name) ? mul(p, keep) : p;
    out.params[name] = sub(kept, mul(div(m, add(sqrt(v), eps)), lr));
    out.m[name] = m;
    out.v[name] = v;
  }
  return { ...out, gradNorm };
}
