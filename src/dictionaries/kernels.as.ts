// What does a dictionary cost per active (token, feature) pair? The loops that ONNX Runtime lacks, in AssemblyScript.
//
// Rows are padded with zeros to a multiple of 16 floats (`stride`), so no loop has a tail. Pointers are bytes.
// Every sum runs in an order that does not depend on how rows or features are shared among workers.
// Twin and oracle: kernels-reference.ts. Build: `npx tsx scripts/build-wasm.ts`.

function lanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** out[0..stride) += a0·p0 + a1·p1 + a2·p2 + a3·p3 */
function add4(
  out: usize,
  stride: i32,
  p0: usize,
  p1: usize,
  p2: usize,
  p3: usize,
  a0: f32,
  a1: f32,
  a2: f32,
  a3: f32,
): void {
  const s0 = f32x4.splat(a0),
    s1 = f32x4.splat(a1),
    s2 = f32x4.splat(a2),
    s3 = f32x4.splat(a3);
  const end: usize = (<usize>stride) << 2;
  for (let c: usize = 0; c < end; c += 32) {
    const l = f32x4.add(
      f32x4.add(f32x4.mul(s0, v128.load(p0 + c)), f32x4.mul(s1, v128.load(p1 + c))),
      f32x4.add(f32x4.mul(s2, v128.load(p2 + c)), f32x4.mul(s3, v128.load(p3 + c))),
    );
    const h = f32x4.add(
      f32x4.add(f32x4.mul(s0, v128.load(p0 + c, 16)), f32x4.mul(s1, v128.load(p1 + c, 16))),
      f32x4.add(f32x4.mul(s2, v128.load(p2 + c, 16)), f32x4.mul(s3, v128.load(p3 + c, 16))),
    );
    v128.store(out + c, f32x4.add(v128.load(out + c), l));
    v128.store(out + c, f32x4.add(v128.load(out + c, 16), h), 16);
  }
}

/** out[0..stride) += a·p */
function add1(out: usize, stride: i32, p: usize, a: f32): void {
  const s = f32x4.splat(a);
  const end: usize = (<usize>stride) << 2;
  for (let c: usize = 0; c < end; c += 16)
    v128.store(out + c, f32x4.add(v128.load(out + c), f32x4.mul(s, v128.load(p + c))));
}

function dot(p: usize, q: usize, stride: i32): f32 {
  const end: usize = (<usize>stride) << 2;
  let a = f32x4.splat(0),
    b = f32x4.splat(0),
    e = f32x4.splat(0),
    f = f32x4.splat(0);
  for (let c: usize = 0; c < end; c += 64) {
    a = f32x4.add(a, f32x4.mul(v128.load(p + c), v128.load(q + c)));
    b = f32x4.add(b, f32x4.mul(v128.load(p + c, 16), v128.load(q + c, 16)));
    e = f32x4.add(e, f32x4.mul(v128.load(p + c, 32), v128.load(q + c, 32)));
    f = f32x4.add(f, f32x4.mul(v128.load(p + c, 48), v128.load(q + c, 48)));
  }
  return lanes(f32x4.add(f32x4.add(a, b), f32x4.add(e, f)));
}

function active(value: usize, j: i32): f32 {
  return max<f32>(load<f32>(value + ((<usize>j) << 2)), 0);
}

function rowOf(W: usize, index: usize, j: i32, stride: i32): usize {
  return W + ((<usize>load<u32>(index + ((<usize>j) << 2)) * <usize>stride) << 2);
}

function decodeRow(
  W_dec: usize,
  b_dec: usize,
  index: usize,
  value: usize,
  out: usize,
  k: i32,
  stride: i32,
): void {
  memory.copy(out, b_dec, (<usize>stride) << 2);
  let j = 0;
  for (; j + 4 <= k; j += 4)
    add4(
      out,
      stride,
      rowOf(W_dec, index, j, stride),
      rowOf(W_dec, index, j + 1, stride),
      rowOf(W_dec, index, j + 2, stride),
      rowOf(W_dec, index, j + 3, stride),
      active(value, j),
      active(value, j + 1),
      active(value, j + 2),
      active(value, j + 3),
    );
  for (; j < k; j++) add1(out, stride, rowOf(W_dec, index, j, stride), active(value, j));
}

/** out[t] = b_dec + Σ_j max(value[t, j], 0) · W_dec[index[t, j]] */
export function decode(
  W_dec: usize,
  b_dec: usize,
  index: usize,
  value: usize,
  out: usize,
  rows: i32,
  k: i32,
  stride: i32,
): void {
  for (let t = 0; t < rows; t++) {
    decodeRow(W_dec, b_dec, index, value, out, k, stride);
    index += (<usize>k) << 2;
    value += (<usize>k) << 2;
    out += (<usize>stride) << 2;
  }
}

/**
 * r[t] = x̂[t] − x[t]; g[t, j] = r[t] · W_dec[index[t, j]] where value > 0, else 0. Returns Σ r².
 * The gradient of Σ r² is 2 g; the caller's `scale` (2 / …) is applied once per weight row, in `gradients`.
 */
export function residual(
  x: usize,
  W_dec: usize,
  b_dec: usize,
  index: usize,
  value: usize,
  r: usize,
  g: usize,
  rows: i32,
  k: i32,
  stride: i32,
): f64 {
  let loss: f64 = 0;
  const bytes: usize = (<usize>stride) << 2;
  for (let t = 0; t < rows; t++) {
    decodeRow(W_dec, b_dec, index, value, r, k, stride);
    for (let c: usize = 0; c < bytes; c += 16)
      v128.store(r + c, f32x4.sub(v128.load(r + c), v128.load(x + c)));
    loss += <f64>dot(r, r, stride);
    for (let j = 0; j < k; j++) {
      const on = load<f32>(value + ((<usize>j) << 2)) > 0;
      store<f32>(g + ((<usize>j) << 2), on ? dot(r, rowOf(W_dec, index, j, stride), stride) : 0);
    }
    x += bytes;
    r += bytes;
    index += (<usize>k) << 2;
    value += (<usize>k) << 2;
    g += (<usize>k) << 2;
  }
  return loss;
}

/** out[c] = Σ_t rows[t, c] */
export function columnSums(rows: usize, n: i32, out: usize, stride: i32): void {
  memory.fill(out, 0, (<usize>stride) << 2);
  for (let t = 0; t < n; t++) add1(out, stride, rows + ((<usize>t * <usize>stride) << 2), 1);
}

/**
 * Pairs of features [from, to), sorted by feature and then by token (a counting sort).
 * offsets: u32[to − from + 1]; the three lists have room for every pair.
 */
export function group(
  index: usize,
  value: usize,
  g: usize,
  rows: i32,
  k: i32,
  from: u32,
  to: u32,
  offsets: usize,
  pairToken: usize,
  pairValue: usize,
  pairG: usize,
): void {
  const n = to - from;
  memory.fill(offsets, 0, (<usize>n + 1) << 2);
  const pairs: usize = <usize>rows * <usize>k;
  for (let p: usize = 0; p < pairs; p++) {
    const f = load<u32>(index + (p << 2)) - from;
    if (f >= n || !(load<f32>(value + (p << 2)) > 0)) continue;
    const at = offsets + ((<usize>f + 1) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  for (let f: usize = 0; f < <usize>n; f++) {
    const at = offsets + (f << 2);
    store<u32>(at + 4, load<u32>(at) + load<u32>(at + 4));
  }
  const total = load<u32>(offsets + ((<usize>n) << 2));
  // From the last pair back: offsets[f + 1] moves from the end of f to its start, tokens come out ascending.
  for (let t = rows - 1; t >= 0; t--)
    for (let j = k - 1; j >= 0; j--) {
      const p: usize = <usize>t * <usize>k + <usize>j;
      const f = load<u32>(index + (p << 2)) - from;
      if (f >= n || !(load<f32>(value + (p << 2)) > 0)) continue;
      const at = offsets + ((<usize>f + 1) << 2);
      const to = load<u32>(at) - 1;
      store<u32>(at, to);
      store<u32>(pairToken + ((<usize>to) << 2), t);
      store<f32>(pairValue + ((<usize>to) << 2), load<f32>(value + (p << 2)));
      store<f32>(pairG + ((<usize>to) << 2), load<f32>(g + (p << 2)));
    }
  for (let f: usize = 0; f < <usize>n; f++)
    store<u32>(offsets + (f << 2), load<u32>(offsets + (f << 2), 4));
  store<u32>(offsets + ((<usize>n) << 2), total);
}

/** out = Σ over pairs of weight[pair] · rows[token[pair]] */
function weightedSum(
  out: usize,
  rows: usize,
  token: usize,
  weight: usize,
  from: u32,
  to: u32,
  stride: i32,
): void {
  memory.fill(out, 0, (<usize>stride) << 2);
  let p = from;
  for (; p + 4 <= to; p += 4) {
    const at: usize = (<usize>p) << 2;
    add4(
      out,
      stride,
      rowOf(rows, token + at, 0, stride),
      rowOf(rows, token + at, 1, stride),
      rowOf(rows, token + at, 2, stride),
      rowOf(rows, token + at, 3, stride),
      load<f32>(weight + at),
      load<f32>(weight + at, 4),
      load<f32>(weight + at, 8),
      load<f32>(weight + at, 12),
    );
  }
  for (; p < to; p++) {
    const at: usize = (<usize>p) << 2;
    add1(out, stride, rowOf(rows, token + at, 0, stride), load<f32>(weight + at));
  }
}

function scaleRow(p: usize, a: f32, stride: i32): void {
  const s = f32x4.splat(a);
  const end: usize = (<usize>stride) << 2;
  for (let c: usize = 0; c < end; c += 16) v128.store(p + c, f32x4.mul(s, v128.load(p + c)));
}

/**
 * Gradients of scale/2 · Σ r² for n features whose pairs `group` sorted (offsets points at the first of them):
 *   dW_dec[f] = scale Σ value · r[token]            db_enc[f] = scale Σ g
 *   dW_enc[f] = scale Σ g · (x[token] − b_dec)      (W_enc by feature: [d_sae, stride])
 */
export function gradients(
  offsets: usize,
  pairToken: usize,
  pairValue: usize,
  pairG: usize,
  n: i32,
  x: usize,
  r: usize,
  b_dec: usize,
  scale: f32,
  dW_dec: usize,
  dW_enc: usize,
  db_enc: usize,
  stride: i32,
): void {
  for (let f = 0; f < n; f++) {
    const from = load<u32>(offsets),
      to = load<u32>(offsets, 4);
    weightedSum(dW_dec, r, pairToken, pairValue, from, to, stride);
    scaleRow(dW_dec, scale, stride);
    weightedSum(dW_enc, x, pairToken, pairG, from, to, stride);
    let sum: f32 = 0;
    for (let p = from; p < to; p++) sum += load<f32>(pairG + ((<usize>p) << 2));
    add1(dW_enc, stride, b_dec, -sum);
    scaleRow(dW_enc, scale, stride);
    store<f32>(db_enc, scale * sum);
    offsets += 4;
    db_enc += 4;
    dW_dec += (<usize>stride) << 2;
    dW_enc += (<usize>stride) << 2;
  }
}

/** out = Σ_f weight[f] · rows[f]; the way the encoder's gradient reaches b_dec is minus this, over db_enc and W_enc. */
export function weightedRows(rows: usize, weight: usize, n: i32, out: usize, stride: i32): void {
  memory.fill(out, 0, (<usize>stride) << 2);
  for (let f = 0; f < n; f++)
    add1(
      out,
      stride,
      rows + ((<usize>f * <usize>stride) << 2),
      load<f32>(weight + ((<usize>f) << 2)),
    );
}

/** row += other */
export function addRow(row: usize, other: usize, stride: i32): void {
  add1(row, stride, other, 1);
}

/** Σ p², in float64 over rows. */
export function sumSquares(p: usize, n: i32, stride: i32): f64 {
  let sum: f64 = 0;
  for (let f = 0; f < n; f++)
    sum += <f64>(
      dot(p + ((<usize>f * <usize>stride) << 2), p + ((<usize>f * <usize>stride) << 2), stride)
    );
  return sum;
}

/**
 * One Adam step on n rows. m̂ = m / (1 − β₁ᵗ) is folded into `rate`, v̂ into `invSqrtBias2` = 1 / √(1 − β₂ᵗ).
 * With `unit`, the part of the gradient along the row is removed first and the row has length 1 after.
 */
export function adam(
  W: usize,
  gradient: usize,
  m: usize,
  v: usize,
  n: i32,
  stride: i32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  invSqrtBias2: f32,
  eps: f32,
  unit: i32,
): void {
  const end: usize = (<usize>stride) << 2;
  const b1 = f32x4.splat(beta1),
    c1 = f32x4.splat(1 - beta1);
  const b2 = f32x4.splat(beta2),
    c2 = f32x4.splat(1 - beta2);
  const lr = f32x4.splat(rate),
    bias2 = f32x4.splat(invSqrtBias2),
    tiny = f32x4.splat(eps);
  for (let f = 0; f < n; f++) {
    if (unit) add1(gradient, stride, W, -dot(gradient, W, stride));
    for (let c: usize = 0; c < end; c += 16) {
      const gr = v128.load(gradient + c);
      const m1 = f32x4.add(f32x4.mul(b1, v128.load(m + c)), f32x4.mul(c1, gr));
      const v1 = f32x4.add(f32x4.mul(b2, v128.load(v + c)), f32x4.mul(c2, f32x4.mul(gr, gr)));
      v128.store(m + c, m1);
      v128.store(v + c, v1);
      const below = f32x4.add(f32x4.mul(f32x4.sqrt(v1), bias2), tiny);
      v128.store(W + c, f32x4.sub(v128.load(W + c), f32x4.div(f32x4.mul(lr, m1), below)));
    }
    if (unit) {
      const norm = sqrt<f32>(dot(W, W, stride));
      if (norm > 0) scaleRow(W, 1 / norm, stride);
    }
    W += end;
    gradient += end;
    m += end;
    v += end;
  }
}

/**
 * Matching pursuit (Mallat and Zhang 1993) on `rows` rows, k picks each, an atom may be picked again.
 * c [rows, m]: the rows' products with the atoms, used up; gram [m, m]; atoms [m, stride] of length 1;
 * out [rows, stride] += Σ coefficient · atom. m is a multiple of 16.
 */
export function pursue(
  c: usize,
  gram: usize,
  atoms: usize,
  out: usize,
  rows: i32,
  m: i32,
  k: i32,
  stride: i32,
): void {
  const end: usize = (<usize>m) << 2;
  for (let t = 0; t < rows; t++) {
    let most = f32x4.splat(0);
    for (let i: usize = 0; i < end; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(c + i)));
    for (let j = 0; j < k; j++) {
      const largest = max<f32>(
        max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
        max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
      );
      if (!(largest > 0)) break;
      const wanted = f32x4.splat(largest);
      let i: usize = 0;
      while (i + 16 < end && !v128.any_true(f32x4.eq(f32x4.abs(v128.load(c + i)), wanted))) i += 16;
      while (i + 4 < end && abs<f32>(load<f32>(c + i)) < largest) i += 4;
      const a = load<f32>(c + i);
      const atom: usize = i >> 2;
      add1(out, stride, atoms + ((atom * <usize>stride) << 2), a);
      const row = gram + ((atom * <usize>m) << 2);
      const minus = f32x4.splat(-a);
      most = f32x4.splat(0);
      for (let p: usize = 0; p < end; p += 16) {
        const left = f32x4.add(v128.load(c + p), f32x4.mul(minus, v128.load(row + p)));
        v128.store(c + p, left);
        most = f32x4.max(most, f32x4.abs(left));
      }
    }
    c += end;
    out += (<usize>stride) << 2;
  }
}
