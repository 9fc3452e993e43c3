// Which rows of a batch go into one run, and are they tokens at all?
import { check } from "../base/errors.ts";
import { longestRow, type ModelConfig } from "../models/index.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";

/** Rows [from, from + n) of the first axis, sharing memory. A single row serves for all. */
export function rowsOf<T extends Tensor>(all: T, from: number, n: number): T {
  const [, ...rest] = all.shape;
  const width = sizeOf(rest);
  if (from === 0 && n === all.shape[0]) return all;
  const data = (all.data as Float32Array).subarray(from * width, (from + n) * width);
  return tensor(all.dtype, [n, ...rest], data) as unknown as T;
}

export function checkTokens(config: ModelConfig, { dtype, shape, data }: Tensor): void {
  const most = longestRow(config);
  const wanted = `int32 [batch, pos ≤ ${most}]`;
  check(dtype === "int32" && shape.length === 2, "hooks/tokens", "these are not rows of tokens", {
    got: `${dtype} [${shape.join(", ")}]`,
    wanted,
  });
  check(
    shape[0]! > 0 && shape[1]! > 0 && shape[1]! <= most,
    "hooks/tokens",
    "the rows do not fit the model",
    { got: `[${shape.join(", ")}]`, wanted },
  );
  const odd = (data as Int32Array).find((id) => id < 0 || id >= config.d_vocab);
  check(odd === undefined, "hooks/tokens", "a token is outside the vocabulary", {
    got: odd,
    wanted: `0 to ${config.d_vocab - 1}`,
  });
}
