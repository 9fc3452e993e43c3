import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { kernels, restride, strideOf } from "./kernels.ts";
import { adamReference, decodeReference, gradientsReference } from "./kernels-reference.ts";

/** A random batch whose values really are relu((x − b_dec) · W_enc + b_enc) at random places. */
function smallWorld(seed: number, { rows = 9, d = 13, d_sae = 21, k = 5 } = {}) {
  const rng = random(seed);
  const normal = (n: number): Float32Array => Float32Array.from({ length: n }, () => rng.normal());
  const x = normal(rows * d);
  const W_dec = normal(d_sae * d);
  const W_enc = normal(d_sae * d);
  const b_dec = normal(d);
  const b_enc = normal(d_sae);
  const index = new Int32Array(rows * k);
  for (let t = 0; t < rows; t++) {
    const all = rng.shuffle(Int32Array.from({ length: d_sae }, (_, f) => f));
    index.set(all.subarray(0, k), t * k);
  }
  const world = { x, W_dec, W_enc, b_dec, b_enc, index, rows, d, d_sae, k, scale: 0.37 };
  return { ...world, value: valuesOf(world) };
}

type World = Omit<ReturnType<typeof smallWorld>, "value">;

function valuesOf(w: {
  x: ArrayLike<number>;
  W_enc: ArrayLike<number>;
  b_enc: ArrayLike<number>;
  b_dec: ArrayLike<number>;
  index: Int32Array;
  d: number;
  k: number;
}): Float64Array {
  return Float64Array.from(w.index, (f, p) => {
    const t = Math.floor(p / w.k);
    let pre = w.b_enc[f]!;
    for (let c = 0; c < w.d; c++) pre += (w.x[t * w.d + c]! - w.b_dec[c]!) * w.W_enc[f * w.d + c]!;
    return Math.max(pre, 0);
  });
}

function lossOf(w: World): number {
  return gradientsReference({ ...w, value: valuesOf(w) }).loss;
}

function runKernels(w: ReturnType<typeof smallWorld>) {
  const { rows, d, d_sae, k, scale } = w;
  const stride = strideOf(d);
  const K = kernels(1 << 20);
  const place = (data: Float32Array) => {
    const padded = restride(data, d, stride);
    const placed = K.floats(padded.length);
    placed.data.set(padded);
    return placed;
  };
  const [x, W_dec, W_enc, b_dec] = [place(w.x), place(w.W_dec), place(w.W_enc), place(w.b_dec)];
  const index = K.words(rows * k);
  index.data.set(w.index);
  const value = K.floats(rows * k);
  value.data.set(w.value);
  const r = K.floats(rows * stride);
  const g = K.floats(rows * k);
  const squares = K.residual(
    x.at,
    W_dec.at,
    b_dec.at,
    index.at,
    value.at,
    r.at,
    g.at,
    rows,
    k,
    stride,
  );
  const offsets = K.words(d_sae + 1);
  const lists = [K.words(rows * k), K.floats(rows * k), K.floats(rows * k)] as const;
  const [token, pairValue, pairG] = lists;
  K.group(
    index.at,
    value.at,
    g.at,
    rows,
    k,
    0,
    d_sae,
    offsets.at,
    token.at,
    pairValue.at,
    pairG.at,
  );
  const dW_dec = K.floats(d_sae * stride);
  const dW_enc = K.floats(d_sae * stride);
  const db_enc = K.floats(d_sae);
  K.gradients(
    offsets.at,
    token.at,
    pairValue.at,
    pairG.at,
    d_sae,
    x.at,
    r.at,
    b_dec.at,
    scale,
    dW_dec.at,
    dW_enc.at,
    db_enc.at,
    stride,
  );
  const rSum = K.floats(stride);
  const encoderSum = K.floats(stride);
  K.columnSums(r.at, rows, rSum.at, stride);
  K.weightedRows(W_enc.at, db_enc.at, d_sae, encoderSum.at, stride);
  const narrow = (a: Float32Array) => restride(a, stride, d);
  return {
    loss: (scale / 2) * squares,
    r: narrow(r.data),
    dvalue: g.data.map((v) => v * scale),
    dW_dec: narrow(dW_dec.data),
    dW_enc: narrow(dW_enc.data),
    db_enc: db_enc.data,
    db_dec: narrow(rSum.data.map((v, c) => scale * v - encoderSum.data[c]!)),
    offsets: offsets.data,
    token: token.data,
  };
}

function closeTo(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  let worst = 0;
  let largest = 1e-30;
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(got[i]! - wanted[i]!));
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  expect(worst / largest).toBeLessThan(tolerance);
}

describe("the twin of the kernels", () => {
  it("gives the gradients that central differences give", () => {
    const world = smallWorld(3);
    const wide = {
      ...world,
      x: Float64Array.from(world.x),
      W_dec: Float64Array.from(world.W_dec),
      W_enc: Float64Array.from(world.W_enc),
      b_enc: Float64Array.from(world.b_enc),
      b_dec: Float64Array.from(world.b_dec),
    } as unknown as World;
    const found = gradientsReference({ ...wide, value: valuesOf(wide) });
    for (const name of ["W_dec", "W_enc", "b_enc", "b_dec"] as const) {
      const weights = wide[name] as unknown as Float64Array;
      const numeric = weights.map((kept, i) => {
        const h = 1e-5;
        weights[i] = kept + h;
        const up = lossOf(wide);
        weights[i] = kept - h;
        const down = lossOf(wide);
        weights[i] = kept;
        return (up - down) / (2 * h);
      });
      closeTo(found[`d${name}`], numeric, 1e-6);
    }
  });

  it("takes the first Adam step as long as the learning rate, against the gradient's sign", () => {
    const W = Float64Array.of(1, 2, 3);
    const settings = { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-12, t: 1, unit: false };
    adamReference(W, [5, -0.01, 7], new Float64Array(3), new Float64Array(3), 3, settings);
    closeTo(W, [0.9, 2.1, 2.9], 1e-6);
  });
});

describe("the kernels", () => {
  it.each([
    { rows: 9, d: 13, d_sae: 21, k: 5 },
    { rows: 70, d: 32, d_sae: 64, k: 8 },
    { rows: 1, d: 1, d_sae: 1, k: 1 },
  ])("agree with their twin at %o", (size) => {
    const world = smallWorld(11, size);
    const found = runKernels(world);
    const wanted = gradientsReference(world);
    for (const name of ["r", "dvalue", "dW_dec", "dW_enc", "db_enc", "db_dec"] as const)
      closeTo(found[name], wanted[name], 2e-6);
    closeTo([found.loss], [wanted.loss], 1e-6);
  });

  it("sort pairs by feature, and by token within a feature", () => {
    const world = smallWorld(5, { rows: 40, d: 16, d_sae: 12, k: 6 });
    const { offsets, token } = runKernels(world);
    const wanted = Array.from({ length: world.d_sae }, (_, f) =>
      [...world.index].flatMap((at, p) =>
        at === f && world.value[p]! > 0 ? [Math.floor(p / world.k)] : [],
      ),
    );
    const found = wanted.map((_, f) => [...token.subarray(offsets[f], offsets[f + 1])]);
    expect(found).toEqual(wanted);
  });

  it("decode as the twin does, ignoring values that are not positive", () => {
    const world = smallWorld(7);
    const value = world.value.map((v, p) => (p % 3 === 0 ? -1 : v));
    const stride = strideOf(world.d);
    const K = kernels(1 << 20);
    const W_dec = K.floats(world.d_sae * stride);
    restride(world.W_dec, world.d, stride, W_dec.data);
    const b_dec = K.floats(stride);
    b_dec.data.set(world.b_dec);
    const index = K.words(world.index.length);
    index.data.set(world.index);
    const values = K.floats(value.length);
    values.data.set(value);
    const out = K.floats(world.rows * stride);
    K.decode(W_dec.at, b_dec.at, index.at, values.at, out.at, world.rows, world.k, stride);
    closeTo(restride(out.data, stride, world.d), decodeReference({ ...world, value }), 1e-6);
  });

  it.each([true, false])("take five Adam steps as the twin does (unit rows: %s)", (unit) => {
    const rng = random(2);
    const d = 16;
    const n = 7;
    const K = kernels(1 << 16);
    const [W, gradient, m, v] = [0, 1, 2, 3].map(() => K.floats(n * d));
    for (let f = 0; f < n; f++) {
      const row = Array.from({ length: d }, () => rng.normal());
      const norm = Math.hypot(...row);
      W!.data.set(
        row.map((w) => w / norm),
        f * d,
      );
    }
    const wide = Float64Array.from(W!.data);
    const [wideM, wideV] = [new Float64Array(n * d), new Float64Array(n * d)];
    const run = { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
    for (let t = 1; t <= 5; t++) {
      const fresh = Float32Array.from({ length: n * d }, () => rng.normal());
      gradient!.data.set(fresh);
      const rate = run.lr / (1 - run.beta1 ** t);
      const bias2 = 1 / Math.sqrt(1 - run.beta2 ** t);
      const constants = [rate, run.beta1, run.beta2, bias2, run.eps, unit ? 1 : 0] as const;
      K.adam(W!.at, gradient!.at, m!.at, v!.at, n, d, ...constants);
      adamReference(wide, fresh, wideM, wideV, d, { ...run, t, unit });
    }
    closeTo(W!.data, wide, 3e-6);
    if (unit)
      for (let f = 0; f < n; f++)
        expect(Math.hypot(...W!.data.subarray(f * d, (f + 1) * d))).toBeCloseTo(1, 6);
  });
});
