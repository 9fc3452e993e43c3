// A tiny random model for the tests of edits, and its logits.
import { random } from "../../base/random.ts";
import { input, type Program, program, type Value } from "../../graph/index.ts";
import { ortBackend } from "../../runtime/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { makeModel } from "../checkpoint.ts";
import type { Model, ModelConfig } from "../config.ts";
import { type BoundWeights, bindWeights } from "../parameters.ts";
import { forward } from "../transformer.ts";
import { weightShapes } from "../weight-shapes.ts";

export const tinyConfig: ModelConfig = {
  name: "tiny",
  n_layers: 2,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 10,
  d_vocab: 9,
  n_ctx: 6,
  act_fn: "gelu",
  normalization: "LN",
  positions: "learned",
};

export function tinyModel(change: Partial<ModelConfig> = {}, seed = 1): Model {
  const config = { ...tinyConfig, ...change };
  const rng = random(seed);
  const weights = Object.fromEntries(
    Object.entries(weightShapes(config)).map(([name, shape]) => {
      const near = name.endsWith(".w") ? 1 - (config.norm_offset ?? 0) : 0;
      return [
        name,
        f32(
          shape,
          Array.from({ length: sizeOf(shape) }, () => near + rng.normal() / 2),
        ),
      ];
    }),
  );
  return makeModel(config, weights);
}

export const tinyTokens = tensor("int32", [2, 5], Int32Array.of(1, 4, 2, 8, 0, 3, 3, 7, 5, 6));

const backend = ortBackend({ threads: 1 });
const programs = new Map<string, Program>();

/** Logits, and whatever sites are asked for. */
export async function runTiny(
  model: Model,
  tokens: Tensor = tinyTokens,
  sites: readonly string[] = [],
): Promise<Record<string, Tensor<"float32">>> {
  const bound = bindWeights(model);
  const key = JSON.stringify([bound.key, tokens.shape, sites]);
  const made = programs.get(key) ?? build(model, bound, tokens, sites);
  programs.set(key, made);
  const run = await backend.compile(made);
  return (await run.run({ ...bound.feeds, tokens })) as Record<string, Tensor<"float32">>;
}

function build({ config }: Model, bound: BoundWeights, tokens: Tensor, sites: readonly string[]) {
  const ids = input("tokens", "int32", tokens.shape);
  const outputs: Record<string, Value> = {};
  const { logits } = forward(config, bound.values, ids, {
    tap: (site, value) => {
      if (sites.includes(site)) outputs[site] = value;
      return value;
    },
  });
  return program({ inputs: [ids, ...bound.inputs], outputs: { ...outputs, logits } });
}

/** Each row's log-probabilities. */
export function logProbs({ shape, data }: Tensor<"float32">): Tensor<"float32"> {
  const width = shape.at(-1)!;
  const out = Float64Array.from(data);
  for (let row = 0; row < out.length; row += width) {
    const total = Math.log(out.subarray(row, row + width).reduce((sum, x) => sum + Math.exp(x), 0));
    for (let i = row; i < row + width; i++) out[i]! -= total;
  }
  return f32(shape, out);
}
