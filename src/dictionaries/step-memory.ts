// What the training threads share: batch, pairs, weights and partial sums, in SharedArrayBuffers.
import { strideOf } from "./kernels.ts";

export interface StepShape {
  batch: number;
  d_in: number;
  d_sae: number;
  k: number;
  /** Dead features that AuxK may bring gradients for, at most. */
  auxCap: number;
}

export interface StepMemory {
  x: Float32Array; // [batch, stride], scaled inputs, zeros at the end of each row
  r: Float32Array; // [batch, stride], x̂ − x
  index: Int32Array; // [batch, k]
  value: Float32Array; // [batch, k]
  g: Float32Array; // [batch, k], r · W_dec[index] where active
  W_dec: Float32Array; // [d_sae, stride]
  W_enc: Float32Array; // [d_sae, stride]: by feature
  b_enc: Float32Array; // [d_sae]
  b_dec: Float32Array; // [stride]
  auxId: Int32Array; // [auxCap], ascending
  auxW_dec: Float32Array; // [auxCap, stride], gradients
  auxW_enc: Float32Array; // [auxCap, stride]
  auxb_enc: Float32Array; // [auxCap]
  loss: Float64Array; // Σ r² by block of rows
  rSum: Float32Array; // [row blocks, stride]
  encoderSum: Float32Array; // [feature blocks, stride], Σ db_enc · W_enc
  norm: Float64Array; // squared gradient norm by block of features
}

/** Adam's two moments of everything that workers own. */
export interface Moments {
  mW_dec: Float32Array; // [d_sae, stride]
  vW_dec: Float32Array;
  mW_enc: Float32Array;
  vW_enc: Float32Array;
  mb_enc: Float32Array; // [d_sae]
  vb_enc: Float32Array;
}

/**
 * Rows and features are cut into blocks of this many; a block's sums are made by one worker and blocks
 * are added in their order, so the number of workers never shows in the bits.
 */
export const blockSize = 64;

export function blocksOf(n: number): number {
  return Math.ceil(n / blockSize);
}

/** The blocks [from, to) of one worker. */
export function shareOf(n: number, worker: number, workers: number): { from: number; to: number } {
  const blocks = blocksOf(n);
  return {
    from: Math.floor((worker * blocks) / workers),
    to: Math.floor(((worker + 1) * blocks) / workers),
  };
}

const floats = (n: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * n));
const words = (n: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * n));
const doubles = (n: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * n));

export function stepMemory({ batch, d_in, d_sae, k, auxCap }: StepShape): StepMemory {
  const stride = strideOf(d_in);
  return {
    x: floats(batch * stride),
    r: floats(batch * stride),
    index: words(batch * k),
    value: floats(batch * k),
    g: floats(batch * k),
    W_dec: floats(d_sae * stride),
    W_enc: floats(d_sae * stride),
    b_enc: floats(d_sae),
    b_dec: floats(stride),
    auxId: words(auxCap),
    auxW_dec: floats(auxCap * stride),
    auxW_enc: floats(auxCap * stride),
    auxb_enc: floats(auxCap),
    loss: doubles(blocksOf(batch)),
    rSum: floats(blocksOf(batch) * stride),
    encoderSum: floats(blocksOf(d_sae) * stride),
    norm: doubles(blocksOf(d_sae)),
  };
}

export function momentsMemory({ d_in, d_sae }: StepShape): Moments {
  const size = d_sae * strideOf(d_in);
  return {
    mW_dec: floats(size),
    vW_dec: floats(size),
    mW_enc: floats(size),
    vW_enc: floats(size),
    mb_enc: floats(d_sae),
    vb_enc: floats(d_sae),
  };
}

/** Adam's constants of a run, and of one step. */
export interface AdamRun {
  beta1: number;
  beta2: number;
  eps: number;
}

export interface FeatureStep {
  /** Loss = scale/2 · Σ r². */
  scale: number;
  /** Learning rate / (1 − β₁ᵗ). */
  rate: number;
  /** 1 / √(1 − β₂ᵗ) */
  invSqrtBias2: number;
  /** How many of `auxId` are set. */
  aux: number;
  /** Whether `norm` is wanted. */
  withNorm: boolean;
}

/** What a worker is started with, and what it is told. */
export interface WorkerStart {
  shape: StepShape;
  memory: StepMemory;
  adam: AdamRun;
  worker: number;
  workers: number;
  moments?: Moments;
}

export type WorkerTask =
  | { task: "rows" }
  | { task: "features"; step: FeatureStep }
  | { task: "moments"; into: Moments };
