// Everything the graph layer offers, by name.
export { grad } from "./grad.ts";
export { interpret } from "./interpret.ts";
export * from "./ops/activation.ts";
export * from "./ops/arithmetic.ts";
export { expand, reshape, squeeze, sum, unsqueeze } from "./ops/broadcast.ts";
export { gather, scatterAdd, scatterAlong, takeAlong } from "./ops/gather.ts";
export { concat, pad, slice, transpose } from "./ops/layout.ts";
export * from "./ops/logic.ts";
export { matmul } from "./ops/matmul.ts";
export type { Operand } from "./ops/pointwise.ts";
export { argmax, cumsum, max, mean, min } from "./ops/reduce.ts";
export { crossEntropy, logSoftmax, softmax } from "./ops/softmax.ts";
export { print } from "./print.ts";
export { type Program, type ProgramSpec, program } from "./program.ts";
export { constant, input, scalar, type Value, type WeightFile, weight } from "./value.ts";
