// What a norm computes over its last axis, with its two sites.
import { add, div, mean, mul, sqrt, square, sub, type Value } from "../../graph/index.ts";
import type { Tap } from "./scope.ts";

export interface NormSettings {
  readonly kind: "none" | "LN" | "RMS";
  readonly eps: number;
  /** Added to the weight. */
  readonly offset?: number;
  readonly weight?: Value;
  readonly bias?: Value;
  readonly tap: Tap;
  readonly at: string;
}

/** Biased variance, eps inside the root; sites before weight and bias, as in TransformerLens. */
export function norm(
  x: Value,
  { kind, eps, offset = 0, weight, bias, tap, at }: NormSettings,
): Value {
  if (kind === "none") return x;
  const axes = [x.shape.length - 1];
  const from = kind === "LN" ? sub(x, mean(x, { axes, keepDims: true })) : x;
  const power = mean(square(from), { axes, keepDims: true });
  const scale = tap(`${at}.hook_scale`, sqrt(add(power, eps)));
  const normalized = tap(`${at}.hook_normalized`, div(from, scale));
  const gain = weight !== undefined && offset !== 0 ? add(weight, offset) : weight;
  const scaled = gain === undefined ? normalized : mul(normalized, gain);
  return bias === undefined ? scaled : add(scaled, bias);
}
