// What one step of growing computes: loss, gradients and Adam in one program.
import {
  crossEntropy,
  grad,
  input,
  mul,
  type Program,
  program,
  reshape,
  slice,
  sum,
  type Value,
} from "../graph/index.ts";
import { type AdamSettings, adamUpdate } from "../nn/adam.ts";
import { type ModelConfig, weightShapes } from "./config.ts";
import { residual, unembed, type Weights } from "./transformer.ts";

/**
 * Sum over all tokens that have a next one of −log p(next), in nats, with the number of them.
 * The last position of a row predicts nothing, so it is not unembedded.
 */
export function nextTokenLoss(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
): { total: Value; count: number } {
  const [batch, pos] = tokens.shape as [number, number];
  const count = batch * (pos - 1);
  const resid = slice(residual(config, weights, tokens), { axis: 1, start: 0, end: pos - 1 });
  const logits = reshape(unembed(config, weights, resid), [count, config.d_vocab]);
  const targets = reshape(slice(tokens, { axis: 1, start: 1, end: pos }), [count]);
  return { total: sum(crossEntropy(logits, targets)), count };
}

export interface TrainingSettings extends AdamSettings {
  batch: number;
  pos: number;
  clipNorm: number;
}

/**
 * Inputs: `tokens` int32 [batch, pos], `rates` [3], and `w:`, `m:`, `v:` + name for each weight.
 * Outputs: `loss` (mean, nats), `gradNorm`, and `next:w:`, `next:m:`, `next:v:` + name.
 */
export function trainingProgram(
  config: ModelConfig,
  { batch, pos, clipNorm, ...adam }: TrainingSettings,
): Program {
  const tokens = input("tokens", "int32", [batch, pos]);
  const rates = input("rates", "float32", [3]);
  const names = Object.keys(weightShapes(config));
  const weights = inputs(config, "w:");
  const state = { m: inputs(config, "m:"), v: inputs(config, "v:"), rates };

  // The loss is a sum, so that nothing the size of the logits is multiplied by 1/n.
  const { total, count } = nextTokenLoss(config, weights, tokens);
  const gradients = grad(
    total,
    names.map((name) => weights[name]!),
  );
  const grads = Object.fromEntries(names.map((name, i) => [name, gradients[i]!]));
  const next = adamUpdate(weights, grads, state, {
    ...adam,
    clipNorm,
    gradScale: 1 / count,
    decays: (name) => weights[name]!.shape.length > 1,
  });
  const outputs: Record<string, Value> = { loss: mul(total, 1 / count), gradNorm: next.gradNorm };
  for (const name of names) {
    outputs[`next:w:${name}`] = next.params[name]!;
    outputs[`next:m:${name}`] = next.m[name]!;
    outputs[`next:v:${name}`] = next.v[name]!;
  }
  return program({
    inputs: [tokens, rates, ...[weights, state.m, state.v].flatMap((r) => Object.values(r))],
    outputs,
  });
}

function inputs(config: ModelConfig, prefix: string): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => [
      name,
      input(`${prefix}${name}`, "float32", shape),
    ]),
  );
}
