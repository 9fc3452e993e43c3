// Which little linear algebra do readings of weights need? Row-major; large products go to a backend.
import { input, matmul, type Program, program } from "../graph/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** Float64, [rows, columns]. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export function matrix(rows: number, columns: number, data?: ArrayLike<number>): Matrix {
  return {
    rows,
    columns,
    data: data === undefined ? new Float64Array(rows * columns) : Float64Array.from(data),
  };
}

export function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = matrix(columns, rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]!;
  return out;
}

/** a · b. */
export function times(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.columns);
  const n = b.columns;
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++) {
      const x = a.data[i * a.columns + k]!;
      if (x === 0) continue;
      for (let j = 0; j < n; j++) out.data[i * n + j]! += x * b.data[k * n + j]!;
    }
  return out;
}

/** aᵀ · a, [columns, columns]. */
export function gram(a: Matrix): Matrix {
  const { rows, columns: n, data } = a;
  const out = matrix(n, n);
  for (let k = 0; k < rows; k++)
    for (let i = 0; i < n; i++) {
      const x = data[k * n + i]!;
      for (let j = 0; j < n; j++) out.data[i * n + j]! += x * data[k * n + j]!;
    }
  return out;
}

/** Σ a ∘ b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Rows [from, from + count) as a matrix of its own, sharing memory. */
export function rowsFrom({ columns, data }: Matrix, from: number, count: number): Matrix {
  return { rows: count, columns, data: data.subarray(from * columns, (from + count) * columns) };
}

/** Columns [from, from + count), copied. */
export function columnsFrom({ rows, columns, data }: Matrix, from: number, count: number): Matrix {
  const out = matrix(rows, count);
  for (let i = 0; i < rows; i++)
    out.data.set(data.subarray(i * columns + from, i * columns + from + count), i * count);
  return out;
}

export function stacked(list: readonly Matrix[]): Matrix {
  const columns = list[0]!.columns;
  const out = matrix(
    list.reduce((n, { rows }) => n + rows, 0),
    columns,
  );
  let at = 0;
  for (const { data } of list) {
    out.data.set(data, at);
    at += data.length;
  }
  return out;
}

export function toTensor({ rows, columns, data }: Matrix): Tensor<"float32"> {
  return tensor("float32", [rows, columns], Float32Array.from(data));
}

const products = new Map<string, Program>();

/** a [m, k] · b [k, n] in float32 on the backend. */
export async function productOn(
  backend: Backend,
  a: Tensor<"float32">,
  b: Tensor<"float32">,
): Promise<Matrix> {
  const key = `${a.shape} · ${b.shape}`;
  let made = products.get(key);
  if (made === undefined) {
    const [left, right] = [input("a", "float32", a.shape), input("b", "float32", b.shape)];
    made = program({ inputs: [left, right], outputs: { out: matmul(left, right) } });
    products.set(key, made);
    if (products.size > 64) products.delete(products.keys().next().value!);
  }
  const run = await backend.compile(made);
  const { out } = await run.run({ a, b });
  await run.release();
  return matrix(a.shape[0]!, b.shape[1]!, out!.data as Float32Array);
}
