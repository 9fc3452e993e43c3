// What one step of growing computes: loss, gradients and Adam in one program.
import { grad, input, mul, type Program, program, sum, type Value } from "../graph/index.ts";
import { type AdamSettings, adamUpdate } from "../nn/adam.ts";
import type { ModelConfig } from "./config.ts";
import { nextTokenLosses } from "./loss.ts";
import { weightShapes } from "./weight-shapes.ts";

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
  const count = batch * (pos - 1);
  const total = sum(nextTokenLosses(config, weights, tokens));
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
