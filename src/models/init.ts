// What a model's weights are before it is grown.
import type { Random } from "../base/random.ts";
import { normal } from "../nn/init.ts";
import { type Tensor, zeros } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { weightShapes } from "./weight-shapes.ts";

export interface InitOptions {
  /**
   * What learned positions begin as: small normals, or sinusoids (Vaswani et al. 2017) as long as the
   * rows of W_E, where the place before is a rotation away.
   */
  positions?: "normal" | "sinusoidal";
}

/**
 * Every weight from its own stream, so that a wider model does not change the others: normal with
 * 1/√fan_in, embeddings 0.02·…, what writes to the residual stream smaller by √(2·n_layers)
 * (Radford et al. 2019), biases 0, norms 1.
 */
export function initWeights(
  config: ModelConfig,
  rng: Random,
  { positions = "normal" }: InitOptions = {},
): Record<string, Tensor<"float32">> {
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
      if (last === "W_pos" && positions === "sinusoidal")
        return [name, sinusoids(shape as [number, number], std.W_E!)];
      const made = zeros("float32", shape);
      if (std[last] !== undefined) return [name, normal(rng.stream(name), shape, std[last])];
      if (last === "w") made.data.fill(1);
      return [name, made];
    }),
  );
}

/** [n_ctx, d_model]: sine and cosine at each of d_model / 2 rates, from one place to n_ctx; rms `scale`. */
function sinusoids([n_ctx, d_model]: [number, number], scale: number): Tensor<"float32"> {
  const made = zeros("float32", [n_ctx, d_model]);
  const pairs = Math.floor(d_model / 2);
  for (let pair = 0; pair < pairs; pair++) {
    const rate = n_ctx ** -(pair / pairs);
    for (let place = 0; place < n_ctx; place++) {
      made.data[place * d_model + 2 * pair] = Math.SQRT2 * scale * Math.sin(place * rate);
      made.data[place * d_model + 2 * pair + 1] = Math.SQRT2 * scale * Math.cos(place * rate);
    }
  }
  return made;
}
