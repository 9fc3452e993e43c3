// How much of ONNX Runtime's own rate at matrix products does a whole training step reach?
import { add, input, matmul, program, slice, sum, type Value } from "../src/graph/index.ts";
import { type Backend, ortBackend } from "../src/runtime/index.ts";
import { sizeOf, type Tensor, tensor } from "../src/tensor/tensor.ts";
import { median, say, size } from "./lib/line.ts";
import { config, stepTimes } from "./lib/organism.ts";

const batch = 32;
const steps = size("STEPS", 20);
const bar = 0.6;

interface Product {
  /** [.., m, k] · [.., k, n] */
  many: number[];
  m: number;
  k: number;
  n: number;
}

/** The products of the forward pass; each has two more of the same cost in the backward pass. */
function forwardProducts(): Product[] {
  const { d_model, n_heads, d_head, d_mlp, d_vocab, n_ctx } = config;
  const tokens = batch * n_ctx;
  const width = n_heads * d_head;
  const heads = [batch, n_heads];
  return [
    { many: [], m: tokens, k: d_model, n: 3 * width },
    { many: heads, m: n_ctx, k: d_head, n: n_ctx },
    { many: heads, m: n_ctx, k: n_ctx, n: d_head },
    { many: [], m: tokens, k: width, n: d_model },
    { many: [], m: tokens, k: d_model, n: d_mlp },
    { many: [], m: tokens, k: d_mlp, n: d_model },
    { many: [], m: tokens - batch, k: d_model, n: d_vocab },
  ];
}

const flops = 3 * forwardProducts().reduce((f, p) => f + 2 * sizeOf(p.many) * p.m * p.k * p.n, 0);

/** All products of a step in one program, of whose results one row leaves ONNX Runtime: GFLOP/s. */
async function rawRate(backend: Backend): Promise<number> {
  const feeds: Record<string, Tensor> = {};
  const inputs: Value[] = [];
  const feed = (shape: number[]): Value => {
    const name = `x${inputs.length}`;
    const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i % 17) - 8) / 16);
    feeds[name] = tensor("float32", shape, data);
    const value = input(name, "float32", shape);
    inputs.push(value);
    return value;
  };
  const results = forwardProducts().flatMap(({ many, m, k, n }) => {
    const a = feed([...many, m, k]);
    const b = feed([...many, k, n]);
    const grad = feed([...many, m, n]);
    return [matmul(a, b), matmul(grad, b, { transB: true }), matmul(a, grad, { transA: true })];
  });
  const total = results
    .map((y) => sum(slice(y, { axis: y.shape.length - 2, start: 0, end: 1 })))
    .reduce((x, y) => add(x, y));
  const run = await backend.compile(program({ inputs, outputs: { total } }));
  const times: number[] = [];
  for (let i = 0; i < steps + 2; i++) {
    const began = performance.now();
    await run.run(feeds);
    times.push(performance.now() - began);
  }
  await run.release();
  return flops / median(times.slice(2)) / 1e6;
}

const backend = ortBackend();
// Before and after, so that a busy moment of the machine does not decide.
const before = await rawRate(backend);
const ours = flops / median(await stepTimes(backend, { steps, batch })) / 1e6;
const peer = (before + (await rawRate(backend))) / 2;
await backend.release();
say({
  claim: `a training step reaches ${bar} of the rate of its products alone`,
  ours,
  peer,
  ratio: ours / peer,
  bar,
  ok: ours / peer >= bar,
  setting: `one-layer organism, batch ${batch} × ${config.n_ctx}, ${(flops / 1e9).toFixed(1)} GFLOP of products a step, results of the products kept inside ONNX Runtime; GFLOP/s, median`,
});
