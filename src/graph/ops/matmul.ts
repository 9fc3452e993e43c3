// Products of matrices, over batches, with either side transposed.
import { check } from "../../base/errors.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { defineOp, type Emitter } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { broadcastReader, reshape, sumTo } from "./broadcast.ts";

export interface MatmulAttrs {
  transA: boolean;
  transB: boolean;
  /** The product is multiplied by it. */
  alpha: number;
}

/** [rows, columns] after transposition. */
function sides(x: Value, transposed: boolean): [number, number] {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

const makeMatmul = defineOp<MatmulAttrs>({
  name: "matmul",
  infer: (inputs, { transA, transB }) => {
    const [a, b] = inputs as [Value, Value];
    const where = `matmul${transA ? " transA" : ""}${transB ? " transB" : ""}`;
    check(a.shape.length > 1 && b.shape.length > 1, "shape/rank", "matmul: not matrices", {
      where,
      got: showSpecs(inputs),
      wanted: "two axes or more",
    });
    check(isFloat(a.dtype) && a.dtype === b.dtype, "dtype/mismatch", "matmul: not floats", {
      where,
      got: showSpecs(inputs),
      wanted: "one float dtype",
    });
    const [rows, inner] = sides(a, transA);
    const [innerB, columns] = sides(b, transB);
    check(inner === innerB, "shape/inner", `${where}: the inner axes differ`, {
      where,
      got: `${showSpecs(inputs)}: ${inner} and ${innerB}`,
      wanted: "columns of the first = rows of the second, after transposition",
    });
    const batch = (x: Value) => ({ ...x, shape: x.shape.slice(0, -2) });
    const shape = [...broadcastShapes("matmul", [batch(a), batch(b)]), rows, columns];
    return { shape, dtype: a.dtype };
  },
  vjp: (grad, { inputs, attrs: { transA, transB, alpha } }) => {
    const [a, b] = inputs as [Value, Value];
    const [k, n] = sides(b, transB);
    if (sizeOf(b.shape) === k * n && !transA && a.shape.length > 2) {
      // One matrix for the whole batch: its gradient is one product over batch × rows.
      const flatA = reshape(a, [-1, k]);
      const flatG = reshape(grad, [-1, n]);
      const toB = transB
        ? matmul(flatG, flatA, { transA: true, alpha })
        : matmul(flatA, flatG, { transA: true, alpha });
      const toA = matmul(flatG, reshape(b, b.shape.slice(-2)), { transB: !transB, alpha });
      return [reshape(toA, a.shape), reshape(toB, b.shape)];
    }
    const toA = transA
      ? matmul(b, grad, { transA: transB, transB: true, alpha })
      : matmul(grad, b, { transB: !transB, alpha });
    const toB = transB
      ? matmul(grad, a, { transA: true, transB: transA, alpha })
      : matmul(a, grad, { transA: !transA, alpha });
    return [sumTo(toA, a.shape), sumTo(toB, b.shape)];
  },
  lower: (to, node, [a, b]) => {
    const { transA, transB } = node.attrs;
    const [rows, columns] = node.shape.slice(-2) as [number, number];
    const inner = node.inputs[0]!.shape.at(-2)!;
    // Weight gradients Aᵀ·B, long inside and wide: (Bᵀ·A)ᵀ takes a tenth less time.
    if (node.shape.length === 2 && transA && !transB && inner >= 1024 && columns >= 2 * rows) {
      const turned = product(to, node.attrs, b!, a!);
      return to.node("Transpose", [turned], { attributes: { perm: [1, 0] } });
    }
    return product(to, node.attrs, a!, b!);
  },
  reference: (cells, { inputs, shape, attrs: { transA, transB, alpha } }) => {
    const [a, b] = inputs as [Value, Value];
    const [rows, inner] = sides(a, transA);
    const [, columns] = sides(b, transB);
    const batch = shape.slice(0, -2);
    const readA = broadcastReader(a.shape.slice(0, -2), batch);
    const readB = broadcastReader(b.shape.slice(0, -2), batch);
    const out = new Float64Array(sizeOf(shape));
    for (let o = 0; o < sizeOf(batch); o++)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let total = 0;
          for (let k = 0; k < inner; k++)
            total +=
              cells[0]![readA(o) * rows * inner + (transA ? k * rows + i : i * inner + k)]! *
              cells[1]![readB(o) * inner * columns + (transB ? j * inner + k : k * columns + j)]!;
          out[(o * rows + i) * columns + j] = alpha * total;
        }
    return out;
  },
});

function product(to: Emitter, attrs: MatmulAttrs, a: string, b: string): string {
  const { transA, transB, alpha } = attrs;
  if (!transA && !transB && alpha === 1) return to.node("MatMul", [a, b]);
  return to.node("FusedMatMul", [a, b], {
    domain: "com.microsoft",
    attributes: { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
  });
}

export interface MatmulOptions {
  transA?: boolean;
  transB?: boolean;
  alpha?: number;
}

/**
 * alpha · A·B over the last two axes; the others broadcast. A vector is a row on the left and a
 * column on the right, and its axis is gone from the result.
 */
export function matmul(
  a: Value,
  b: Value,
  { transA = false, transB = false, alpha = 1 }: MatmulOptions = {},
): Value {
  if (a.shape.length === 1) {
    const out = matmul(reshape(a, [1, a.shape[0]!]), b, { transB, alpha });
    const at = out.shape.length - (b.shape.length === 1 ? 1 : 2);
    return reshape(
      out,
      out.shape.filter((_, i) => i !== at),
    );
  }
  if (b.shape.length === 1) {
    const out = matmul(a, reshape(b, [b.shape[0]!, 1]), { transA, alpha });
    return reshape(out, out.shape.slice(0, -1));
  }
  return makeMatmul([a, b], { transA, transB, alpha });
}

/** Of a value that `matmul` made. */
export function matmulAttrs({ attrs }: Value): MatmulAttrs {
  return attrs as unknown as MatmulAttrs;
}
