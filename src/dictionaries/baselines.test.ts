import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { ortBackend } from "../runtime/ort.ts";
import { dataPoints, matchingPursuit } from "./data-points.ts";
import { geometricMedian, sampleFacts, unitRows } from "./initial.ts";
import { pursueReference } from "./kernels-reference.ts";
import { fvuMeter } from "./metrics.ts";
import { fitPca, jacobi, pcaReconstructor, topEigenvectors } from "./pca.ts";
import { constantReconstructor, topNeurons } from "./reconstruct.ts";

const backend = ortBackend();
const rng = random(12);
const normal = (n: number) => Float32Array.from({ length: n }, () => rng.normal());

describe("data points with matching pursuit", () => {
  it("take the atoms that plain matching pursuit takes", async () => {
    const d = 10;
    const sample = normal(60 * d);
    const points = dataPoints(sample, { d_in: d, atoms: 25, seed: 1 });
    const acts = normal(30 * d);
    const { reconstruct, release } = await matchingPursuit(points, 4, backend);
    const found = await reconstruct(acts, 30);
    for (let t = 0; t < 30; t++) {
      const centred = Array.from({ length: d }, (_, c) => acts[t * d + c]! - points.mean[c]!);
      const { reconstruction } = pursueReference(centred, points.atoms, d, 4);
      reconstruction.forEach((v, c) => {
        expect(found[t * d + c]).toBeCloseTo(v + points.mean[c]!, 4);
      });
    }
    await release();
  });

  it("are rows of the sample, centred, of length 1, and reconstruct themselves", async () => {
    const d = 7;
    const sample = normal(40 * d);
    const points = dataPoints(sample, { d_in: d, atoms: 40, seed: 2 });
    for (let at = 0; at < points.atoms.length; at += d)
      expect(Math.hypot(...points.atoms.subarray(at, at + d))).toBeCloseTo(1, 5);
    const { reconstruct } = await matchingPursuit(points, 1, backend);
    const found = await reconstruct(sample, 40);
    sample.forEach((v, i) => {
      expect(found[i]).toBeCloseTo(v, 4);
    });
  });

  it("need enough rows that differ from the mean", () => {
    const equal = new Float32Array(50).fill(2);
    expect(() => dataPoints(equal, { d_in: 5, atoms: 3, seed: 0 })).toThrow("too few rows");
  });
});

describe("PCA", () => {
  it("finds the eigenvectors of a matrix made from known ones", () => {
    const d = 30;
    const vectors = topEigenvectors(
      Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? d - i / (d + 1) : 0)),
      d,
      3,
    );
    [30, 29, 28].forEach((wanted, i) => {
      expect(vectors.values[i]).toBeCloseTo(wanted, 6);
      expect(Math.abs(vectors.vectors[i * d + i]!)).toBeCloseTo(1, 4);
    });
  });

  it("Jacobi gives eigenvalues with the matrix's trace and vectors that diagonalise it", () => {
    const n = 12;
    const half = Float64Array.from({ length: n * n }, () => rng.normal());
    const matrix = half.map((v, i) => v + half[(i % n) * n + Math.floor(i / n)]!);
    const { vectors, values } = jacobi(matrix, n);
    for (let i = 0; i < n; i++)
      for (let r = 0; r < n; r++) {
        let image = 0;
        for (let c = 0; c < n; c++) image += matrix[r * n + c]! * vectors[i * n + c]!;
        expect(image).toBeCloseTo(values[i]! * vectors[i * n + r]!, 8);
      }
  });

  it("leaves no error on data of k dimensions, and less than any other k directions otherwise", async () => {
    const [d, k, n] = [12, 4, 200];
    const basis = unitRows(rng, k, d);
    const flat = new Float32Array(n * d);
    for (let t = 0; t < n; t++)
      for (let j = 0; j < k; j++) {
        const a = rng.normal();
        for (let c = 0; c < d; c++) flat[t * d + c]! += a * basis[j * d + c]! + 0.1;
      }
    const exact = await pcaReconstructor(await fitPca(flat, { d, k }, backend), backend);
    const copy = await exact.reconstruct(flat, n);
    flat.forEach((v, i) => {
      expect(copy[i]).toBeCloseTo(v, 4);
    });
    const noisy = flat.map((v) => v + 0.3 * rng.normal());
    const errorOf = async (reconstruct: (x: Float32Array, n: number) => unknown) => {
      const meter = fvuMeter(d);
      meter.add(noisy, (await reconstruct(noisy, n)) as Float32Array);
      return meter.value();
    };
    const best = await fitPca(noisy, { d, k }, backend);
    const found = await errorOf((await pcaReconstructor(best, backend)).reconstruct);
    const planted = { ...best, directions: orthonormalRows(basis, d) };
    expect(found).toBeLessThan(
      await errorOf((await pcaReconstructor(planted, backend)).reconstruct),
    );
  });
});

function orthonormalRows(rows: Float32Array, d: number): Float32Array {
  const out = rows.slice();
  for (let at = 0; at < out.length; at += d) {
    for (let other = 0; other < at; other += d) {
      let along = 0;
      for (let c = 0; c < d; c++) along += out[at + c]! * out[other + c]!;
      for (let c = 0; c < d; c++) out[at + c]! -= along * out[other + c]!;
    }
    const norm = Math.hypot(...out.subarray(at, at + d));
    for (let c = 0; c < d; c++) out[at + c]! /= norm;
  }
  return out;
}

it("top neurons keep the k largest, or the k farthest from the mean", async () => {
  const acts = Float32Array.of(1, -5, 3, 0, 2, 2, 2, 2);
  expect([...(await topNeurons(2, 4)(acts, 2))]).toEqual([0, -5, 3, 0, 2, 2, 0, 0]);
  const mean = [1, -5, 0, 1];
  expect([...(await topNeurons(1, 4, mean)(acts, 2))]).toEqual([1, -5, 3, 1, 1, 2, 0, 1]);
  expect([...(await constantReconstructor([7, 8])(Float32Array.of(1, 2, 3, 4), 2))]).toEqual([
    7, 8, 7, 8,
  ]);
});

describe("what training starts from", () => {
  it("the geometric median of collinear points is the middle one, of a square its centre", () => {
    const line = geometricMedian(Float32Array.of(0, 0, 1, 0, 50, 0), 2, 5000);
    expect(line[0]).toBeCloseTo(1, 2);
    const square = geometricMedian(Float32Array.of(0, 0, 0, 2, 2, 0, 2, 2), 2);
    expect([...square]).toEqual([1, 1]);
  });

  it("the scale brings the mean norm to √d", () => {
    const rows = normal(50 * 9);
    const { scale, variance } = sampleFacts(rows, 9);
    let norms = 0;
    for (let at = 0; at < rows.length; at += 9)
      norms += Math.hypot(...rows.subarray(at, at + 9)) / 50;
    expect(norms * scale).toBeCloseTo(3, 5);
    expect(variance).toBeGreaterThan(0);
  });
});
