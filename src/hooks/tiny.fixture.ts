// A small model with everything in it, whose weights come from a seed: for tests that need no outside numbers.
import { random } from "../base/random.ts";
import { type Model, type ModelConfig, makeModel, weightShapes } from "../models/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";

export function tinyModel(seed = 1, change: Partial<ModelConfig> = {}): Model {
  const config: ModelConfig = {
    name: "tiny",
    n_layers: 2,
    d_model: 6,
    n_heads: 2,
    d_head: 3,
    d_mlp: 8,
    d_vocab: 9,
    n_ctx: 8,
    act_fn: "gelu",
    normalization: "LN",
    positions: "learned",
    ...change,
  };
  const rng = random(seed);
  const weights = Object.entries(weightShapes(config)).map(([name, shape]) => [
    name,
    f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => rng.normal() * 0.6),
    ),
  ]);
  return makeModel(config, Object.fromEntries(weights));
}

export function tinyTokens(rows: number, pos: number, seed = 1, d_vocab = 9): Tensor<"int32"> {
  const rng = random(seed);
  return tensor(
    "int32",
    [rows, pos],
    Int32Array.from({ length: rows * pos }, () => rng.int(d_vocab)),
  );
}

export function normals(shape: readonly number[], seed: number): Tensor<"float32"> {
  const rng = random(seed);
  return f32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
}

/** Whether every bit agrees. */
export function sameBits(a: Tensor, b: Tensor): boolean {
  const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return a.shape.join() === b.shape.join() && bytes(a).equals(bytes(b));
}
