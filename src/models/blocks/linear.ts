// What a linear layer computes on rows of tokens.
import { add, matmul, reshape, type Value } from "../../graph/index.ts";

/** x [batch, pos, in] · W [in, out] + b, as one flat product: its gradient is one product too. */
export function linear(x: Value, W: Value, b?: Value): Value {
  const [batch, pos, width] = x.shape as [number, number, number];
  const flat = matmul(reshape(x, [batch * pos, width]), W);
  return reshape(b === undefined ? flat : add(flat, b), [batch, pos, W.shape[1]!]);
}
