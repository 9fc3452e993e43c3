// Which k features are strongest at each token? The dense product, as a program that keeps it to itself.
import { add, input, matmul, type Program, program, sub, topK } from "../graph/index.ts";

export interface EncoderShape {
  rows: number;
  d: number;
  d_sae: number;
  k: number;
  /** W_enc is [d_sae, d], as training keeps it, and not [d, d_sae]. */
  byFeature: boolean;
}

/**
 * x [rows, d], W_enc, b_enc [d_sae], b_dec [d] → value, index [rows, k]. Values may be ≤ 0: those are not active.
 * The weights are inputs: they change between steps, and a large dictionary is not copied into the program.
 */
export function encoderProgram({ rows, d, d_sae, k, byFeature }: EncoderShape): Program {
  const x = input("x", "float32", [rows, d]);
  const W_enc = input("W_enc", "float32", byFeature ? [d_sae, d] : [d, d_sae]);
  const b_enc = input("b_enc", "float32", [d_sae]);
  const b_dec = input("b_dec", "float32", [d]);
  const pre = add(matmul(sub(x, b_dec), W_enc, { transB: byFeature }), b_enc);
  const { values, indices } = topK(pre, k);
  return program({
    inputs: [x, W_enc, b_enc, b_dec],
    outputs: { value: values, index: indices },
  });
}
