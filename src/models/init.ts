// What a model's weights are before it is grown.
import type { Random } from "../base/random.ts";
import { normal } from "../nn/init.ts";
import { type Tensor, zeros } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { weightShapes } from "./weight-shapes.ts";

/**
 * Every weight from its own stream, so that a wider model does not change the others: normal with
 * 1/√fan_in, embeddings 0.02·…, what writes to the residual stream smaller by √(2·n_layers)
 * (Radford et al. 2019), biases 0, norms 1.
 */
export function initWeights(config: ModelConfig, rng: Random): Record<string, Tensor<"float32">> {
  const { d_model, d_head, n_heads, d_mlp, n_layers } = config;
  const writing = Math.sqrt(2 * n_layers);
  const std: Record<string, number> = {
    W_E: 0.1,
    W_pos: 0.02,
    W_Q: 1 / Math.sqrt(d_model),
    W_K: 1 / Math.sqrt(d_model),
    W_V: 1 / Math.sqrt(d_model),
    W_O: 1 / Math.sqrt(n_heads * d_head) / writing,
    W_in: Math.sqrt(2 / d_model),
    W_out: 1 / Math.sqrt(d_mlp) / writing,
    W_U: 1 / Math.sqrt(d_model),
  };
  return Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => {
      const last = name.slice(name.lastIndexOf(".") + 1);
      const made = zeros("float32", shape);
      if (std[last] !== undefined) return [name, normal(rng.stream(name), shape, std[last])];
      if (last === "w") made.data.fill(1);
      return [name, made];
    }),
  );
}
