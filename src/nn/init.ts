// What weights are before training.
import type { Random } from "../base/random.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";

/** Normal with this standard deviation. */
export function normal(rng: Random, shape: readonly number[], std: number): Tensor<"float32"> {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = std * rng.normal();
  return tensor("float32", shape, data);
}

/** Uniform in ±√(6 / fanIn): keeps the variance through a ReLU (He et al. 2015). */
export function kaimingUniform(
  rng: Random,
  shape: readonly number[],
  fanIn: number,
): Tensor<"float32"> {
  const bound = Math.sqrt(6 / fanIn);
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = bound * (2 * rng.uniform() - 1);
  return tensor("float32", shape, data);
}

/** Normal with standard deviation √(2 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
export function xavierNormal(
  rng: Random,
  shape: readonly number[],
  { fanIn, fanOut }: { fanIn: number; fanOut: number },
): Tensor<"float32"> {
  return normal(rng, shape, Math.sqrt(2 / (fanIn + fanOut)));
}
