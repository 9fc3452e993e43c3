import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isError } from "../base/errors.ts";
import { random } from "../base/random.ts";
import { type Eigenvalues, eigenvalues } from "./eigenvalues.ts";

interface Case {
  n: number;
  matrix: number[];
  values: [number, number][];
}
const { eigen }: { eigen: Case[] } = JSON.parse(readFileSync("test/golden/reading.json", "utf8"));

/** The largest distance when each wanted value takes the nearest that is left. */
function apart({ re, im }: Eigenvalues, wanted: readonly [number, number][]): number {
  const left = Array.from(re, (x, i) => [x, im[i]!] as const);
  let most = 0;
  for (const [x, y] of wanted) {
    const far = left.map(([a, b]) => Math.hypot(a - x, b - y));
    const at = far.indexOf(Math.min(...far));
    most = Math.max(most, far[at]!);
    left.splice(at, 1);
  }
  return most;
}

test.each(eigen)("eigenvalues of a $n × $n matrix are LAPACK's", ({ n, matrix, values }) => {
  const size = Math.max(1, ...values.map(([x, y]) => Math.hypot(x, y)));
  // Zeros of a matrix of low rank, and of a nilpotent one, are only known to √ε and less.
  const close = values.some(([x, y]) => Math.hypot(x, y) < 1e-6 * size) ? 1e-7 : 1e-11;
  expect(apart(eigenvalues(matrix, n), values)).toBeLessThan(close * size);
});

test("their sum is the trace and, squared, that of the square", () => {
  const n = 128;
  const rng = random(4);
  const a = Float64Array.from({ length: n * n }, () => rng.normal());
  const { re, im } = eigenvalues(a, n);
  let trace = 0;
  let square = 0;
  for (let i = 0; i < n; i++) {
    trace += a[i * n + i]!;
    for (let j = 0; j < n; j++) square += a[i * n + j]! * a[j * n + i]!;
  }
  expect(re.reduce((sum, x) => sum + x)).toBeCloseTo(trace, 8);
  expect(re.reduce((sum, x, i) => sum + x * x - im[i]! ** 2, 0)).toBeCloseTo(square, 6);
  expect(im.reduce((sum, x) => sum + x)).toBeCloseTo(0, 10);
});

test("what is no number, or no square, is refused", () => {
  for (const matrix of [
    [1, Number.NaN, 0, 1],
    [1, 2],
  ])
    try {
      eigenvalues(matrix, 2);
      expect.unreachable();
    } catch (error) {
      expect(isError(error)).toBe(true);
    }
});
