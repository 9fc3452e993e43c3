// How surprised a model is by each next token, as a graph value.
import { crossEntropy, reshape, slice, type Value } from "../graph/index.ts";
import type { Weights } from "./blocks/scope.ts";
import type { ModelConfig } from "./config.ts";
import { type ForwardOptions, residual, unembed } from "./transformer.ts";

/**
 * −log p(next token) in nats: tokens [batch, pos] → [batch, pos − 1]. The last position of a row
 * predicts nothing, so it is not unembedded.
 */
export function nextTokenLosses(
  config: ModelConfig,
  weights: Weights,
  tokens: Value,
  options: ForwardOptions = {},
): Value {
  const [batch, pos] = tokens.shape as [number, number];
  const count = batch * (pos - 1);
  const all = residual(config, weights, tokens, options);
  const resid = slice(all, { axis: 1, start: 0, end: pos - 1 });
  const logits = reshape(unembed(config, weights, resid, options), [count, config.d_vocab]);
  const targets = reshape(slice(tokens, { axis: 1, start: 1, end: pos }), [count]);
  return reshape(crossEntropy(logits, targets), [batch, pos - 1]);
}
