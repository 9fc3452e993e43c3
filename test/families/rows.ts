// Slow float64 arithmetic on rows of numbers, written from the formulae and sharing nothing with the graph.
import type { Tensor } from "../../src/tensor/tensor.ts";

/** Numbers in row-major order; a tensor is one. */
export interface Rows {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export const rowsOf = ({ shape, data }: Tensor): Rows => ({
  shape,
  data: Float64Array.from(data as Float32Array),
});

/** Of the largest number wanted where that is above 1; infinities must agree. */
export function distance(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let [far, most] = [0, 1];
  for (let i = 0; i < got.length; i++) {
    if (got[i] === wanted[i]) continue;
    const apart = Math.abs(got[i]! - wanted[i]!);
    if (!(apart <= far)) far = apart;
    if (Number.isFinite(wanted[i])) most = Math.max(most, Math.abs(wanted[i]!));
  }
  return far / most;
}

function made(shape: readonly number[], of: (i: number) => number): Rows {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: size }, (_, i) => of(i)) };
}

export const map = (x: Rows, of: (value: number, i: number) => number): Rows =>
  made(x.shape, (i) => of(x.data[i]!, i));

/** The second is repeated along the first's leading axes. */
export const plus = (a: Rows, b: Rows | undefined): Rows =>
  b === undefined ? a : map(a, (x, i) => x + b.data[i % b.data.length]!);
export const times = (a: Rows, b: Rows | number): Rows =>
  typeof b === "number" ? map(a, (x) => x * b) : map(a, (x, i) => x * b.data[i % b.data.length]!);

/** x [..., in] · W [in, out] + b. */
export function linear(x: Rows, W: Rows, b?: Rows): Rows {
  const [width, out] = W.shape as [number, number];
  return made([...x.shape.slice(0, -1), out], (i) => {
    const [row, column] = [Math.floor(i / out) * width, i % out];
    let total = b?.data[column] ?? 0;
    for (let j = 0; j < width; j++) total += x.data[row + j]! * W.data[j * out + column]!;
    return total;
  });
}

/** x [batch, pos, in] through each head's W [head, in, d_head], + b [head, d_head]. */
export function perHead(x: Rows, W: Rows, b?: Rows): Rows {
  const [heads, width, d] = W.shape as [number, number, number];
  return made([...x.shape.slice(0, -1), heads, d], (i) => {
    const [row, head, column] = [Math.floor(i / (heads * d)), Math.floor(i / d) % heads, i % d];
    let total = b?.data[head * d + column] ?? 0;
    for (let j = 0; j < width; j++)
      total += x.data[row * width + j]! * W.data[(head * width + j) * d + column]!;
    return total;
  });
}

/** Over the last axis: what is divided by, and what comes of it; LN takes the mean away first. */
export function normalize(x: Rows, kind: "LN" | "RMS", eps: number): { scale: Rows; rows: Rows } {
  const width = x.shape.at(-1)!;
  const count = x.data.length / width;
  const scale = new Float64Array(count);
  const data = new Float64Array(x.data.length);
  for (let row = 0; row < count; row++) {
    const at = row * width;
    let [mean, power] = [0, 0];
    if (kind === "LN") for (let j = 0; j < width; j++) mean += x.data[at + j]! / width;
    for (let j = 0; j < width; j++) power += (x.data[at + j]! - mean) ** 2 / width;
    scale[row] = Math.sqrt(power + eps);
    for (let j = 0; j < width; j++) data[at + j] = (x.data[at + j]! - mean) / scale[row]!;
  }
  return {
    scale: { shape: [...x.shape.slice(0, -1), 1], data: scale },
    rows: { shape: x.shape, data },
  };
}

/** Over the last axis, −∞ weighing nothing; `more` logits a row take part and are dropped. */
export function softmax(x: Rows, more: (row: number) => readonly number[] = () => []): Rows {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let at = 0; at < data.length; at += width) {
    const own = Array.from({ length: width }, (_, j) => x.data[at + j]!);
    const all = [...own, ...more(at / width)];
    const most = Math.max(...all);
    const total = all.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
    own.forEach((logit, j) => {
      data[at + j] = Math.exp(logit - most) / total;
    });
  }
  return { shape: x.shape, data };
}

/** The error function by its series, to 1e-10; beyond 4 it is ±1 to 2e-8. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const geluNew = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** By the names of configs; SoLU multiplies with a softmax over the neurons. */
export const activations: Readonly<Record<string, (x: Rows) => Rows>> = {
  relu: (x) => map(x, (v) => Math.max(v, 0)),
  relu2: (x) => map(x, (v) => Math.max(v, 0) ** 2),
  gelu: (x) => map(x, (v) => 0.5 * v * (1 + erf(v / Math.SQRT2))),
  gelu_new: (x) => map(x, geluNew),
  quick_gelu: (x) => map(x, (v) => v * sigmoid(1.702 * v)),
  silu: (x) => map(x, (v) => v * sigmoid(v)),
  solu: (x) => times(x, softmax(x)),
  solu_ln: (x) => times(x, softmax(x)),
};

/** gpt-oss: min(g, limit) · σ(alpha · g) · (clip(u, ±limit) + 1). */
export function swiglu(gate: Rows, up: Rows, alpha: number, limit: number): Rows {
  return map(gate, (raw, i) => {
    const g = Math.min(raw, limit);
    const u = Math.max(-limit, Math.min(limit, up.data[i]!));
    return g * sigmoid(alpha * g) * (u + 1);
  });
}
