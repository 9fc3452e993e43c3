// One training step: encode on ONNX Runtime, the sparse rest on the training threads.
import { check } from "../base/errors.ts";
import type { Backend } from "../runtime/backend.ts";
import { f32, type Tensor, tensor } from "../tensor/tensor.ts";
import { auxCapOf, auxK } from "./auxk.ts";
import { encoderProgram } from "./encoder.ts";
import { restride, strideOf } from "./kernels.ts";
import { type StepShape, stepMemory } from "./step-memory.ts";
import { stepPool } from "./step-pool.ts";
import type { TrainingState } from "./training-state.ts";

export interface TrainerSettings {
  d_in: number;
  d_sae: number;
  k: number;
  batch: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** A feature is dead when it has not fired for this many tokens. */
  deadAfter: number;
  k_aux: number;
  auxCoefficient: number;
  auxRows: number;
  workers: number;
}

export interface StepFigures {
  /** Mean squared error over the first sample's variance, plus AuxK. */
  loss: number;
  aux: number;
  L0: number;
  /** Share of features that did not fire in the last `deadAfter` tokens. */
  dead: number;
  /** With `detailed` only: of this batch, around its own mean. */
  FVU: number;
  /** With `detailed` only: of all parameters. */
  gradientNorm: number;
}

export interface Trainer {
  step(batch: Float32Array, lr: number, options: { detailed: boolean }): Promise<StepFigures>;
  /** A copy of everything, after the steps so far. */
  state(): Promise<TrainingState>;
  close(): Promise<void>;
}

/** Continues from `start`; the same bits at any number of workers. */
export async function trainer(
  backend: Backend,
  settings: TrainerSettings,
  start: TrainingState,
): Promise<Trainer> {
  const { d_in, d_sae, k, batch, beta1, beta2, eps } = settings;
  const stride = strideOf(d_in);
  const shape: StepShape = { batch, d_in, d_sae, k, auxCap: auxCapOf(d_sae) };
  const memory = stepMemory(shape);
  for (const [name, data] of Object.entries(start.weights))
    memory[name as keyof typeof start.weights].set(data);
  const mb_dec = start.moments.mb_dec.slice();
  const vb_dec = start.moments.vb_dec.slice();
  const lastFired = start.lastFired.slice();
  let { step, tokens } = start;

  const encoder = await backend.compile(
    encoderProgram({ rows: batch, d: stride, d_sae, k, byFeature: true }),
  );
  const aux = auxK(backend, shape, memory, {
    k_aux: settings.k_aux,
    rows: settings.auxRows,
    coefficient: settings.auxCoefficient,
  });
  const pool = await stepPool(
    shape,
    memory,
    { beta1, beta2, eps },
    {
      workers: settings.workers,
      moments: start.moments,
    },
  );
  // ONNX Runtime does not take shared memory, so it reads copies.
  const feeds = {
    x: tensor("float32", [batch, stride], new Float32Array(batch * stride)),
    W_enc: tensor("float32", [d_sae, stride], Float32Array.from(memory.W_enc)),
    b_enc: f32([d_sae], memory.b_enc),
    b_dec: f32([stride], memory.b_dec),
  };
  const into: Record<string, Tensor> = {
    value: tensor("float32", [batch, k], new Float32Array(batch * k)),
    index: tensor("int32", [batch, k], new Int32Array(batch * k)),
  };

  const takeBatch = (rows: Float32Array): void => {
    check(rows.length === batch * d_in, "train/batch", "a batch has the wrong size", {
      where: `step ${step}`,
      got: `${rows.length} numbers`,
      wanted: `${batch} rows of ${d_in}`,
    });
    const x = feeds.x.data;
    let sum = 0;
    if (stride === d_in)
      for (let i = 0; i < rows.length; i++) {
        x[i] = rows[i]! * start.scale;
        sum += rows[i]!;
      }
    else {
      restride(rows, d_in, stride, x);
      for (let i = 0; i < x.length; i++) {
        sum += x[i]!;
        x[i]! *= start.scale;
      }
    }
    check(Number.isFinite(sum), "train/not-finite", "the inputs hold NaN or infinity", {
      where: `step ${step}`,
    });
    memory.x.set(x);
  };

  /** Marks what fired at the end of this batch; returns how many pairs are active. */
  const countActive = (): number => {
    let active = 0;
    for (let p = 0; p < memory.index.length; p++)
      if (memory.value[p]! > 0) {
        active++;
        lastFired[memory.index[p]!] = tokens;
      }
    return active;
  };

  const deadFeatures = (): Int32Array => {
    const dead: number[] = [];
    for (let f = 0; f < d_sae; f++) if (tokens - lastFired[f]! >= settings.deadAfter) dead.push(f);
    return Int32Array.from(dead);
  };

  const stepBias = (scale: number, rate: number, invSqrtBias2: number): number => {
    let square = 0;
    for (let c = 0; c < d_in; c++) {
      let g = 0;
      for (let at = c; at < memory.rSum.length; at += stride) g += memory.rSum[at]!;
      g *= scale;
      for (let at = c; at < memory.encoderSum.length; at += stride) g -= memory.encoderSum[at]!;
      mb_dec[c] = beta1 * mb_dec[c]! + (1 - beta1) * g;
      vb_dec[c] = beta2 * vb_dec[c]! + (1 - beta2) * g * g;
      memory.b_dec[c]! -= (rate * mb_dec[c]!) / (Math.sqrt(vb_dec[c]!) * invSqrtBias2 + eps);
      square += g * g;
    }
    return square;
  };

  return {
    async step(rows, lr, { detailed }) {
      takeBatch(rows);
      await encoder.run(feeds, into);
      memory.value.set(into.value!.data as Float32Array);
      memory.index.set(into.index!.data as Int32Array);
      const dead = deadFeatures();
      await pool.rows();
      const squares = total(memory.loss);
      check(Number.isFinite(squares), "train/diverged", "the loss is no longer a number", {
        where: `step ${step}`,
        got: squares,
        hint: "lower lr",
      });
      const found = dead.length > 0 ? await aux.run(dead, step) : { count: 0, loss: 0 };
      const t = step + 1;
      const scale = 2 / (batch * start.variance);
      const rate = lr / (1 - beta1 ** t);
      const invSqrtBias2 = 1 / Math.sqrt(1 - beta2 ** t);
      await pool.features({ scale, rate, invSqrtBias2, aux: found.count, withNorm: detailed });
      const square = stepBias(scale, rate, invSqrtBias2);
      feeds.W_enc.data.set(memory.W_enc);
      feeds.b_enc.data.set(memory.b_enc);
      feeds.b_dec.data.set(memory.b_dec);
      step += 1;
      tokens += batch;
      const active = countActive();
      return {
        loss: squares / (batch * start.variance) + found.loss,
        aux: found.loss,
        L0: active / batch,
        dead: dead.length / d_sae,
        FVU: detailed ? squares / spread(memory.x, stride) : Number.NaN,
        gradientNorm: detailed ? Math.sqrt(square + total(memory.norm)) : Number.NaN,
      };
    },
    async state() {
      const moments = await pool.moments();
      const { W_enc, W_dec, b_enc, b_dec } = memory;
      return {
        ...start,
        step,
        tokens,
        lastFired: lastFired.slice(),
        weights: {
          W_enc: Float32Array.from(W_enc),
          W_dec: Float32Array.from(W_dec),
          b_enc: Float32Array.from(b_enc),
          b_dec: Float32Array.from(b_dec),
        },
        moments: { ...moments, mb_dec: mb_dec.slice(), vb_dec: vb_dec.slice() },
      };
    },
    async close() {
      await pool.close();
      await aux.release();
      await encoder.release();
    },
  };
}

function total(parts: Float64Array): number {
  let sum = 0;
  for (const part of parts) sum += part;
  return sum;
}

/** Σ ‖x − mean‖² */
function spread(x: Float32Array, d: number): number {
  const mean = new Float64Array(d);
  const n = x.length / d;
  for (let at = 0; at < x.length; at += d) for (let c = 0; c < d; c++) mean[c]! += x[at + c]! / n;
  let sum = 0;
  for (let at = 0; at < x.length; at += d)
    for (let c = 0; c < d; c++) sum += (x[at + c]! - mean[c]!) ** 2;
  return sum;
}
