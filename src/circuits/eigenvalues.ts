// What are the eigenvalues of a small matrix without symmetry? Balancing, Hessenberg form, shifted QR.
import { check, fail } from "../base/errors.ts";

export interface Eigenvalues {
  readonly re: Float64Array;
  /** Conjugate pairs stand side by side. */
  readonly im: Float64Array;
}

/**
 * All n eigenvalues of `matrix` [n, n], row-major, in no particular order (EISPACK's balanc, elmhes
 * and hqr; Wilkinson & Reinsch 1971). Errors: `shape/size`, `circuits/eigenvalues`.
 */
export function eigenvalues(matrix: ArrayLike<number>, n: number): Eigenvalues {
  check(matrix.length === n * n, "shape/size", "eigenvalues are those of a square matrix", {
    got: matrix.length,
    wanted: `${n} × ${n}`,
  });
  const a = Float64Array.from(matrix);
  check(a.every(Number.isFinite), "circuits/eigenvalues", "the matrix holds what is no number");
  balance(a, n);
  toHessenberg(a, n);
  return byShiftedQR(a, n);
}

/** Scales rows and columns by powers of two until they are of like size: exact, and more accurate. */
function balance(a: Float64Array, n: number): void {
  for (let done = false; !done; ) {
    done = true;
    for (let i = 0; i < n; i++) {
      let row = 0;
      let column = 0;
      for (let j = 0; j < n; j++) {
        if (j === i) continue;
        column += Math.abs(a[j * n + i]!);
        row += Math.abs(a[i * n + j]!);
      }
      if (row === 0 || column === 0) continue;
      const before = row + column;
      let factor = 1;
      for (; column < row / 2; column *= 4) factor *= 2;
      for (; column >= row * 2; column /= 4) factor /= 2;
      if ((column + row) / factor >= 0.95 * before) continue;
      done = false;
      for (let j = 0; j < n; j++) a[i * n + j]! /= factor;
      for (let j = 0; j < n; j++) a[j * n + i]! *= factor;
    }
  }
}

/** Elimination with pivots; zeros are written below the first subdiagonal. */
function toHessenberg(a: Float64Array, n: number): void {
  for (let m = 1; m < n - 1; m++) {
    let pivot = m;
    for (let j = m + 1; j < n; j++)
      if (Math.abs(a[j * n + m - 1]!) > Math.abs(a[pivot * n + m - 1]!)) pivot = j;
    const x = a[pivot * n + m - 1]!;
    if (x === 0) continue;
    if (pivot !== m) {
      for (let j = 0; j < n; j++) swap(a, pivot * n + j, m * n + j);
      for (let j = 0; j < n; j++) swap(a, j * n + pivot, j * n + m);
    }
    for (let i = m + 1; i < n; i++) {
      const y = a[i * n + m - 1]! / x;
      if (y === 0) continue;
      for (let j = 0; j < n; j++) a[i * n + j]! -= y * a[m * n + j]!;
      for (let j = 0; j < n; j++) a[j * n + m]! += y * a[j * n + i]!;
      a[i * n + m - 1] = 0;
    }
  }
}

function swap(a: Float64Array, i: number, j: number): void {
  const kept = a[i]!;
  a[i] = a[j]!;
  a[j] = kept;
}

/** Francis' double steps on the active block, deflated from the end one or two values at a time. */
function byShiftedQR(a: Float64Array, n: number): Eigenvalues {
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  let norm = 0;
  for (const x of a) norm += Math.abs(x);
  let shifted = 0;
  let steps = 0;
  for (let end = n - 1; end >= 0; ) {
    const start = blockStart(a, n, end, norm);
    const x = a[end * n + end]!;
    if (start === end) {
      re[end--] = x + shifted;
      steps = 0;
      continue;
    }
    const y = a[(end - 1) * n + end - 1]!;
    const w = a[end * n + end - 1]! * a[(end - 1) * n + end]!;
    if (start === end - 1) {
      pair(x, y, w, shifted, { re, im, end });
      end -= 2;
      steps = 0;
      continue;
    }
    if (steps === 60)
      fail("circuits/eigenvalues", "the QR iteration did not converge", { got: `${n} × ${n}` });
    let shift = { x, y, w };
    if (steps === 10 || steps === 20 || steps === 40) {
      // An exceptional shift breaks cycles.
      shifted += x;
      for (let i = 0; i <= end; i++) a[i * n + i]! -= x;
      const s = Math.abs(a[end * n + end - 1]!) + Math.abs(a[(end - 1) * n + end - 2]!);
      shift = { x: 0.75 * s, y: 0.75 * s, w: -0.4375 * s * s };
    }
    steps += 1;
    sweep(a, n, { start, end }, shift);
  }
  return { re, im };
}

/** Where the last block that does not fall apart begins; sets what is negligible to zero. */
function blockStart(a: Float64Array, n: number, end: number, norm: number): number {
  for (let l = end; l > 0; l--) {
    const near = Math.abs(a[(l - 1) * n + l - 1]!) + Math.abs(a[l * n + l]!) || norm;
    if (Math.abs(a[l * n + l - 1]!) <= Number.EPSILON * near) {
      a[l * n + l - 1] = 0;
      return l;
    }
  }
  return 0;
}

/** Both eigenvalues of the last two by two. */
function pair(
  x: number,
  y: number,
  w: number,
  shifted: number,
  { re, im, end }: { re: Float64Array; im: Float64Array; end: number },
): void {
  const p = (y - x) / 2;
  const q = p * p + w;
  const root = Math.sqrt(Math.abs(q));
  if (q >= 0) {
    const z = p + (p >= 0 ? root : -root);
    re[end - 1] = x + shifted + z;
    re[end] = z === 0 ? x + shifted : x + shifted - w / z;
    return;
  }
  re[end - 1] = x + shifted + p;
  re[end] = x + shifted + p;
  im[end - 1] = root;
  im[end] = -root;
}

function sweep(
  a: Float64Array,
  n: number,
  { start, end }: { start: number; end: number },
  { x, y, w }: { x: number; y: number; w: number },
): void {
  let p = 0;
  let q = 0;
  let r = 0;
  let m = end - 2;
  for (; m >= start; m--) {
    const z = a[m * n + m]!;
    const [dx, dy] = [x - z, y - z];
    p = (dx * dy - w) / a[(m + 1) * n + m]! + a[m * n + m + 1]!;
    q = a[(m + 1) * n + m + 1]! - z - dx - dy;
    r = a[(m + 2) * n + m + 1]!;
    const size = Math.abs(p) + Math.abs(q) + Math.abs(r);
    p /= size;
    q /= size;
    r /= size;
    if (m === start) break;
    const u = Math.abs(a[m * n + m - 1]!) * (Math.abs(q) + Math.abs(r));
    const near = Math.abs(a[(m - 1) * n + m - 1]!) + Math.abs(z);
    const v = Math.abs(p) * (near + Math.abs(a[(m + 1) * n + m + 1]!));
    if (u <= Number.EPSILON * v) break;
  }
  for (let i = m + 2; i <= end; i++) {
    a[i * n + i - 2] = 0;
    if (i !== m + 2) a[i * n + i - 3] = 0;
  }
  for (let k = m; k < end; k++) {
    const last = k === end - 1;
    let size = 1;
    if (k !== m) {
      p = a[k * n + k - 1]!;
      q = a[(k + 1) * n + k - 1]!;
      r = last ? 0 : a[(k + 2) * n + k - 1]!;
      size = Math.abs(p) + Math.abs(q) + Math.abs(r);
      if (size === 0) continue;
      p /= size;
      q /= size;
      r /= size;
    }
    const length = Math.sqrt(p * p + q * q + r * r) * (p < 0 ? -1 : 1);
    if (length === 0) continue;
    if (k !== m) a[k * n + k - 1] = -length * size;
    else if (start !== m) a[k * n + k - 1] = -a[k * n + k - 1]!;
    p += length;
    const [fx, fy, fz] = [p / length, q / length, r / length];
    q /= p;
    r /= p;
    for (let j = k; j <= end; j++) {
      let s = a[k * n + j]! + q * a[(k + 1) * n + j]!;
      if (!last) {
        s += r * a[(k + 2) * n + j]!;
        a[(k + 2) * n + j]! -= s * fz;
      }
      a[(k + 1) * n + j]! -= s * fy;
      a[k * n + j]! -= s * fx;
    }
    const stop = Math.min(end, k + 3);
    for (let i = start; i <= stop; i++) {
      let s = fx * a[i * n + k]! + fy * a[i * n + k + 1]!;
      if (!last) {
        s += fz * a[i * n + k + 2]!;
        a[i * n + k + 2]! -= s * r;
      }
      a[i * n + k + 1]! -= s * q;
      a[i * n + k]! -= s;
    }
  }
}
