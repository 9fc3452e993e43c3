import { afterEach, describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { restride, strideOf } from "./kernels.ts";
import { adamReference, gradientsReference } from "./kernels-reference.ts";
import { type StepMemory, type StepShape, stepMemory } from "./step-memory.ts";
import { type StepPool, stepPool } from "./step-pool.ts";

const shape: StepShape = { batch: 200, d_in: 20, d_sae: 300, k: 6, auxCap: 8 };
const adam = { beta1: 0.9, beta2: 0.999, eps: 1e-9 };
const stride = strideOf(shape.d_in);
const pools: StepPool[] = [];

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

function filled(seed: number): StepMemory {
  const memory = stepMemory(shape);
  const rng = random(seed);
  const { d_in, d_sae, k } = shape;
  for (const name of ["x", "W_dec", "W_enc", "b_dec"] as const) {
    const data = memory[name];
    for (let at = 0; at < data.length; at++) data[at] = at % stride < d_in ? rng.normal() : 0;
  }
  for (let f = 0; f < d_sae; f++) {
    const row = memory.W_dec.subarray(f * stride, (f + 1) * stride);
    const norm = Math.hypot(...row);
    for (let c = 0; c < stride; c++) row[c]! /= norm;
  }
  for (let at = 0; at < memory.index.length; at += k) {
    const start = rng.int(d_sae);
    for (let j = 0; j < k; j++) {
      memory.index[at + j] = (start + 7 * j * j) % d_sae;
      memory.value[at + j] = rng.normal();
    }
  }
  return memory;
}

const featureStep = { scale: 0.01, rate: 0.003, invSqrtBias2: 1.5, aux: 2, withNorm: true };

function setAux(memory: StepMemory): void {
  memory.auxId.set([3, 299]);
  memory.auxW_dec.set([1, 2, 3]);
  memory.auxW_enc.set([4, 5], stride);
  memory.auxb_enc.set([0.5, -0.5]);
}

async function twoSteps(workers: number): Promise<Record<string, ArrayLike<number>>> {
  const memory = filled(4);
  setAux(memory);
  const pool = await stepPool(shape, memory, adam, { workers });
  pools.push(pool);
  for (let step = 0; step < 2; step++) {
    await pool.rows();
    await pool.features(featureStep);
  }
  return { ...memory, ...(await pool.moments()) };
}

describe("the training threads", () => {
  it("give the same bits at 1, 2, 3 and 7 workers", async () => {
    const one = await twoSteps(1);
    for (const workers of [2, 3, 7]) {
      const many = await twoSteps(workers);
      for (const [name, data] of Object.entries(one))
        expect(Buffer.from(new Uint8Array((many[name] as Float32Array).buffer)), name).toEqual(
          Buffer.from(new Uint8Array((data as Float32Array).buffer)),
        );
    }
  });

  it("take the step that the twin takes, AuxK's gradients included", async () => {
    const memory = filled(9);
    setAux(memory);
    const { d_in: d, d_sae } = shape;
    const narrow = (a: Float32Array) => Float64Array.from(restride(a, stride, d));
    const before = { W_dec: narrow(memory.W_dec), W_enc: narrow(memory.W_enc) };
    const wanted = gradientsReference({
      x: narrow(memory.x),
      index: memory.index,
      value: memory.value,
      ...before,
      b_dec: memory.b_dec,
      rows: shape.batch,
      k: shape.k,
      d,
      scale: featureStep.scale,
    });
    const pool = await stepPool(shape, memory, adam, { workers: 2 });
    pools.push(pool);
    await pool.rows();
    const loss = (featureStep.scale / 2) * memory.loss.reduce((sum, part) => sum + part);
    expect(loss / wanted.loss).toBeCloseTo(1, 6);
    await pool.features(featureStep);

    const b_dec = wanted.db_dec.map((_, c) => {
      let sum = 0;
      for (let at = c; at < memory.rSum.length; at += stride)
        sum += featureStep.scale * memory.rSum[at]!;
      for (let at = c; at < memory.encoderSum.length; at += stride) sum -= memory.encoderSum[at]!;
      return sum;
    });
    b_dec.forEach((found, c) => {
      expect(found).toBeCloseTo(wanted.db_dec[c]!, 5);
    });

    [1, 2, 3].forEach((g, c) => {
      wanted.dW_dec[3 * d + c]! += g;
    });
    [4, 5].forEach((g, c) => {
      wanted.dW_enc[299 * d + c]! += g;
    });
    wanted.db_enc[3]! += 0.5;
    wanted.db_enc[299]! -= 0.5;
    const squares = [wanted.dW_dec, wanted.dW_enc, wanted.db_enc]
      .flatMap((a) => [...a])
      .reduce((sum, g) => sum + g * g, 0);
    expect(memory.norm.reduce((sum, part) => sum + part) / squares).toBeCloseTo(1, 5);

    for (const [name, unit] of [
      ["W_dec", true],
      ["W_enc", false],
    ] as const) {
      const [m, v] = [new Float64Array(d_sae * d), new Float64Array(d_sae * d)];
      const plain = { ...adam, lr: 0, t: 1, unit: false };
      const gradient = wanted[`d${name}`].slice();
      const weights = before[name];
      for (let f = 0; unit && f < d_sae; f++) {
        let along = 0;
        for (let c = 0; c < d; c++) along += gradient[f * d + c]! * weights[f * d + c]!;
        for (let c = 0; c < d; c++) gradient[f * d + c]! -= along * weights[f * d + c]!;
      }
      adamReference(weights.slice(), gradient, m, v, d, plain);
      const stepped = weights.map(
        (w, i) =>
          w - (featureStep.rate * m[i]!) / (Math.sqrt(v[i]!) * featureStep.invSqrtBias2 + adam.eps),
      );
      for (let f = 0; unit && f < d_sae; f++) {
        const row = stepped.subarray(f * d, (f + 1) * d);
        const norm = Math.hypot(...row);
        for (let c = 0; c < d; c++) row[c]! /= norm;
      }
      const found = narrow(memory[name]);
      // A gradient that is nearly 0 may get either sign in float32, and Adam takes the sign: compare where it is not.
      stepped.forEach((want, i) => {
        if (Math.abs(gradient[i]!) > 1e-6) expect(found[i]).toBeCloseTo(want, 4);
      });
    }
  });
});
