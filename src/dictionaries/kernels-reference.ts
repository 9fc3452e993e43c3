// What should the kernels compute? The same mathematics in plain loops and float64: their oracle.
// No padding, no order of summation to keep: read this file to know what kernels.as.ts means.

export interface SparseBatch {
  x: ArrayLike<number>; // [rows, d]
  index: ArrayLike<number>; // [rows, k]
  value: ArrayLike<number>; // [rows, k]; ≤ 0 is not active
  W_dec: ArrayLike<number>; // [d_sae, d]
  b_dec: ArrayLike<number>; // [d]
  rows: number;
  k: number;
  d: number;
}

export interface SparseGradients {
  loss: number; // scale/2 · Σ r²
  r: Float64Array; // [rows, d], x̂ − x
  dvalue: Float64Array; // [rows, k], d loss / d value, 0 where not active
  dW_dec: Float64Array; // [d_sae, d]
  dW_enc: Float64Array; // [d_sae, d]: by feature, as the trainer keeps it
  db_enc: Float64Array; // [d_sae]
  db_dec: Float64Array; // [d], through the decoder and through x − b_dec
}

/** x̂ [rows, d] */
export function decodeReference(batch: Omit<SparseBatch, "x">): Float64Array {
  const { index, value, W_dec, b_dec, rows, k, d } = batch;
  const out = new Float64Array(rows * d);
  for (let t = 0; t < rows; t++) {
    for (let c = 0; c < d; c++) out[t * d + c] = b_dec[c]!;
    for (let j = t * k; j < (t + 1) * k; j++)
      if (value[j]! > 0)
        for (let c = 0; c < d; c++) out[t * d + c]! += value[j]! * W_dec[index[j]! * d + c]!;
  }
  return out;
}

/** Everything one step needs, for loss = scale/2 · Σ ‖x̂ − x‖² with value = relu((x − b_dec) · W_enc + b_enc). */
export function gradientsReference(
  batch: SparseBatch & { W_enc: ArrayLike<number>; scale: number }, // W_enc [d_sae, d]
): SparseGradients {
  const { x, index, value, W_dec, W_enc, b_dec, rows, k, d, scale } = batch;
  const r = decodeReference(batch).map((v, i) => v - x[i]!);
  const d_sae = W_dec.length / d;
  const dW_dec = new Float64Array(d_sae * d);
  const dW_enc = new Float64Array(d_sae * d);
  const db_enc = new Float64Array(d_sae);
  const db_dec = new Float64Array(d);
  const dvalue = new Float64Array(rows * k);
  for (let t = 0; t < rows; t++) {
    for (let c = 0; c < d; c++) db_dec[c]! += scale * r[t * d + c]!;
    for (let j = t * k; j < (t + 1) * k; j++) {
      if (!(value[j]! > 0)) continue;
      const f = index[j]!;
      let g = 0;
      for (let c = 0; c < d; c++) g += scale * r[t * d + c]! * W_dec[f * d + c]!;
      dvalue[j] = g;
      db_enc[f]! += g;
      for (let c = 0; c < d; c++) {
        dW_dec[f * d + c]! += scale * value[j]! * r[t * d + c]!;
        dW_enc[f * d + c]! += g * (x[t * d + c]! - b_dec[c]!);
        db_dec[c]! -= g * W_enc[f * d + c]!;
      }
    }
  }
  const loss = (scale / 2) * r.reduce((sum, e) => sum + e * e, 0);
  return { loss, r, dvalue, dW_dec, dW_enc, db_enc, db_dec };
}

export interface AdamSettings {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** The step's number, from 1. */
  t: number;
  /** Rows keep length 1 (decoder). */
  unit: boolean;
}

/** One Adam step (Kingma and Ba 2015) on rows of length d, in place; the gradient is left as it was. */
export function adamReference(
  W: Float64Array,
  gradient: ArrayLike<number>,
  m: Float64Array,
  v: Float64Array,
  d: number,
  { lr, beta1, beta2, eps, t, unit }: AdamSettings,
): void {
  for (let at = 0; at < W.length; at += d) {
    let along = 0;
    if (unit) for (let c = at; c < at + d; c++) along += gradient[c]! * W[c]!;
    let norm = 0;
    const row = W.slice(at, at + d);
    for (let c = at; c < at + d; c++) {
      const g = gradient[c]! - along * row[c - at]!;
      m[c] = beta1 * m[c]! + (1 - beta1) * g;
      v[c] = beta2 * v[c]! + (1 - beta2) * g * g;
      const step = m[c]! / (1 - beta1 ** t) / (Math.sqrt(v[c]! / (1 - beta2 ** t)) + eps);
      W[c]! -= lr * step;
      norm += W[c]! * W[c]!;
    }
    if (unit && norm > 0) for (let c = at; c < at + d; c++) W[c]! /= Math.sqrt(norm);
  }
}

/** Matching pursuit of one row: `picks` times the atom with the largest |product| is taken off. */
export function pursueReference(
  row: ArrayLike<number>,
  atoms: ArrayLike<number>, // [m, d], rows of length 1
  d: number,
  picks: number,
): { reconstruction: Float64Array; residual: Float64Array } {
  const residual = Float64Array.from(row);
  const reconstruction = new Float64Array(d);
  for (let pick = 0; pick < picks; pick++) {
    let best = 0;
    let bestProduct = 0;
    for (let at = 0; at < atoms.length; at += d) {
      let product = 0;
      for (let c = 0; c < d; c++) product += residual[c]! * atoms[at + c]!;
      if (Math.abs(product) > Math.abs(bestProduct)) [best, bestProduct] = [at, product];
    }
    for (let c = 0; c < d; c++) {
      reconstruction[c]! += bestProduct * atoms[best + c]!;
      residual[c]! -= bestProduct * atoms[best + c]!;
    }
  }
  return { reconstruction, residual };
}
