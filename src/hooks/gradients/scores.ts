// How much of a scalar goes through each number at a site: activation × gradient, exactly or by RelP.
import type { Model } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { type Tensor, tensor } from "../../tensor/tensor.ts";
import { relp } from "./backward.ts";
import { type GradientRequest, gradients } from "./gradients.ts";

export interface ScoreRequest extends Omit<GradientRequest, "weights" | "values" | "over"> {
  sites: readonly string[];
}

/**
 * With `relp` (when `backward` is left out) everything between a site and the scalar passes on what
 * it was given: at each point of the stream, scores and what biases add make up the scalar.
 */
export async function attributionScores(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  { backward = relp, ...request }: ScoreRequest,
): Promise<{ rows: Float32Array; scores: Record<string, Tensor<"float32">> }> {
  const { rows, sites, values } = await gradients(model, backend, tokens, {
    ...request,
    backward,
    values: request.sites,
    over: "sum",
  });
  const scores = Object.entries(sites).map(([site, { shape, data }]) => {
    const acts = values[site]!.data;
    // Masked scores are −∞ with a gradient of zero.
    const product = data.map((g, i) => (g === 0 ? 0 : g * acts[i]!));
    return [site, tensor("float32", shape, product)];
  });
  return { rows, scores: Object.fromEntries(scores) };
}
