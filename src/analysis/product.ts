// Plain products of matrices on a backend: blocks of the same size share one program.

import type { Product } from "../evidence/bootstrap.ts";
import { input, matmul, program } from "../graph/index.ts";
import type { Backend, Executable } from "../runtime/backend.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

export function backendProduct(backend: Backend): { product: Product; release(): Promise<void> } {
  const compiled = new Map<string, Promise<Executable>>();
  // The second operand is often the same array for many blocks: keep its tensor.
  const wrapped = new WeakMap<Float32Array, Tensor>();
  const product: Product = async (a, b, { m, k, n }) => {
    const key = `${m},${k},${n}`;
    let executable = compiled.get(key);
    if (executable === undefined) {
      const left = input("a", "float32", [m, k]);
      const right = input("b", "float32", [k, n]);
      executable = backend.compile(
        program({ inputs: [left, right], outputs: { c: matmul(left, right) } }),
      );
      compiled.set(key, executable);
    }
    let right = wrapped.get(b);
    if (right === undefined || right.shape[0] !== k) {
      right = tensor("float32", [k, n], b);
      wrapped.set(b, right);
    }
    const { c } = await (await executable).run({ a: tensor("float32", [m, k], a), b: right });
    return c!.data as Float32Array;
  };
  const release = async (): Promise<void> => {
    for (const executable of compiled.values()) await (await executable).release();
    compiled.clear();
  };
  return { product, release };
}
