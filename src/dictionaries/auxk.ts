// How do dead features come back? AuxK: they learn to reconstruct what the living ones leave over.
import {
  add,
  div,
  grad,
  greaterEqual,
  input,
  matmul,
  mean,
  min,
  mul,
  type Program,
  program,
  relu,
  square,
  sub,
  sum,
  topK,
  type Value,
  where,
} from "../graph/index.ts";
import type { Backend, Executable } from "../runtime/backend.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { strideOf } from "./kernels.ts";
import type { StepMemory, StepShape } from "./step-memory.ts";

export interface AuxOptions {
  /** How many dead features a token may use. */
  k_aux: number;
  /** Rows of the batch that take part. */
  rows: number;
  coefficient: number;
}

/**
 * coefficient · Σ ‖e − ê‖² / Σ ‖e − mean e‖², with e = x − x̂ held fixed and ê = relu(top k_aux of the dead
 * features' pre-activations) · W_dec (Gao et al. 2024, appendix A.2). Dense over `n` gathered rows.
 */
export function auxProgram(n: number, stride: number, options: AuxOptions): Program {
  const { rows, coefficient } = options;
  const k_aux = Math.min(options.k_aux, n);
  const x = input("x", "float32", [rows, stride]);
  const r = input("r", "float32", [rows, stride]);
  const W_enc = input("W_enc", "float32", [n, stride]);
  const b_enc = input("b_enc", "float32", [n]);
  const W_dec = input("W_dec", "float32", [n, stride]);
  const b_dec = input("b_dec", "float32", [stride]);
  const pre = add(matmul(sub(x, b_dec), W_enc, { transB: true }), b_enc);
  const chosen = k_aux < n ? keepTop(pre, k_aux) : pre;
  const guess = matmul(relu(chosen), W_dec);
  // r = x̂ − x = −e
  const left = sum(square(add(r, guess)));
  const spread = sum(square(sub(r, mean(r, { axes: [0], keepDims: true }))));
  const loss = mul(div(left, add(spread, 1e-30)), coefficient);
  const [dW_enc, db_enc, dW_dec] = grad(loss, [W_enc, b_enc, W_dec]);
  return program({
    inputs: [x, r, W_enc, b_enc, W_dec, b_dec],
    outputs: { loss, dW_enc: dW_enc!, db_enc: db_enc!, dW_dec: dW_dec! },
  });
}

function keepTop(pre: Value, k: number): Value {
  const { values } = topK(pre, k);
  const least = min(values, { axes: [1], keepDims: true });
  return where(greaterEqual(pre, least), pre, 0);
}

export interface AuxK {
  /** Leaves the gradients of up to `auxCap` of the dead features in memory; says how many, and the loss. */
  run(dead: Int32Array, step: number): Promise<{ count: number; loss: number }>;
  release(): Promise<void>;
}

/** How many dead features a step can take, at most. */
export function auxCapOf(d_sae: number): number {
  return Math.min(d_sae, 2048);
}

/** Programs are compiled for 64, 256, 1024, … dead features; unused places get pre-activations far below 0. */
export function auxK(
  backend: Backend,
  shape: StepShape,
  memory: StepMemory,
  options: AuxOptions,
): AuxK {
  const stride = strideOf(shape.d_in);
  const compiled = new Map<number, Promise<{ run: Executable; feeds: Record<string, Tensor> }>>();

  const compile = async (n: number) => {
    const f32 = (...dims: number[]) =>
      tensor("float32", dims, new Float32Array(dims.reduce((a, b) => a * b)));
    return {
      run: await backend.compile(auxProgram(n, stride, options)),
      feeds: {
        x: f32(options.rows, stride),
        r: f32(options.rows, stride),
        W_enc: f32(n, stride),
        b_enc: f32(n),
        W_dec: f32(n, stride),
        b_dec: f32(stride),
      },
    };
  };

  const sizeFor = (count: number): number => {
    let n = 64;
    while (n < count) n *= 4;
    return Math.min(n, shape.auxCap);
  };

  return {
    async run(dead, step) {
      const count = Math.min(dead.length, shape.auxCap);
      // More dead features than places: each step takes the next ones in turn.
      const first = dead.length > count ? (step * count) % dead.length : 0;
      const ids = Int32Array.from({ length: count }, (_, i) => dead[(first + i) % dead.length]!);
      ids.sort();
      const n = sizeFor(count);
      if (!compiled.has(n)) compiled.set(n, compile(n));
      const { run, feeds } = await compiled.get(n)!;
      const into = (name: string) => feeds[name]!.data as Float32Array;
      const used = options.rows * stride;
      into("x").set(memory.x.subarray(0, used));
      into("r").set(memory.r.subarray(0, used));
      into("b_dec").set(memory.b_dec);
      into("b_enc").fill(-1e9);
      ids.forEach((f, i) => {
        const row = [f * stride, (f + 1) * stride] as const;
        into("W_enc").set(memory.W_enc.subarray(...row), i * stride);
        into("W_dec").set(memory.W_dec.subarray(...row), i * stride);
        into("b_enc")[i] = memory.b_enc[f]!;
      });
      const found = await run.run(feeds);
      const part = (name: string, size: number) =>
        (found[name]!.data as Float32Array).subarray(0, size);
      memory.auxId.set(ids);
      memory.auxW_enc.set(part("dW_enc", count * stride));
      memory.auxW_dec.set(part("dW_dec", count * stride));
      memory.auxb_enc.set(part("db_enc", count));
      return { count, loss: found.loss!.data[0] as number };
    },
    async release() {
      for (const made of compiled.values()) await (await made).run.release();
    },
  };
}
