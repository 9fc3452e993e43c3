// Which products have a cheaper equal: those of parts, of scaled or turned matrices, and several with one side in common.
import { isDeepStrictEqual } from "node:util";
import { sizeOf, tensor } from "../tensor/tensor.ts";
import { withInputs } from "./op.ts";
import { add, mul } from "./ops/arithmetic.ts";
import { reshape, sum } from "./ops/broadcast.ts";
import { concat, transpose } from "./ops/layout.ts";
import { matmul, matmulAttrs } from "./ops/matmul.ts";
import { partOfProduct } from "./parts.ts";
import { type Around, scaled } from "./rewrite.ts";
import { sameShape } from "./shape.ts";
import { constant, constantNumber, type Value } from "./value.ts";
import { viewedLeaf } from "./view.ts";

/**
 * x · (part of W) = part of (x · W), where other products read other parts: a weight that
 * holds queries, keys and values is not copied apart, and is read once.
 */
export function sliceAfterProduct(value: Value, around: Around): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const { transA, transB, alpha } = matmulAttrs(value);
  const [x, part] = value.inputs as [Value, Value];
  if (transA || x.shape.length !== 2 || part.shape.length !== 2) return undefined;
  const found = partOfProduct(part, transB ? 1 : 0);
  if (found === undefined) return undefined;
  if (around.users(found.sliced).filter((op) => op === "slice").length < 2) return undefined;
  return found.make(x, alpha);
}

/** part of P + the same part of b = part of (P + b): a product takes its bias in passing. */
export function sliceAfterBias(value: Value, around: Around): Value | undefined {
  if (value.op !== "add") return undefined;
  const [part, bias] = value.inputs as [Value, Value];
  if (part.op !== "slice" || bias.op !== "slice" || bias.shape.length !== 1) return undefined;
  const [product] = part.inputs as [Value];
  const [whole] = bias.inputs as [Value];
  const last = product.shape.length - 1;
  if (product.op !== "matmul" || whole.shape[0] !== product.shape[last]) return undefined;
  if (around.users(part).length > 1) return undefined;
  const { starts, ends, steps } = part.attrs as Record<string, readonly number[]>;
  const own = bias.attrs as Record<string, readonly number[]>;
  const alike = starts![last] === own.starts![0] && ends![last] === own.ends![0];
  if (!alike || steps![last] !== 1 || own.steps![0] !== 1) return undefined;
  return withInputs(part, [add(product, whole)]);
}

/** (s · D)·B = s · (D·B), and (s · D)ᵀ·B = Dᵀ·(s · B), where the right side has less to scale. */
export function scaleOutOfProduct(value: Value): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const attrs = matmulAttrs(value);
  for (const side of [0, 1] as const) {
    const parts = scaled(value.inputs[side]!);
    if (parts === undefined) continue;
    const { scale, body, single } = parts;
    const other = value.inputs[1 - side]!;
    const product = (here: Value, there: Value, alpha = attrs.alpha): Value =>
      side === 0
        ? matmul(here, there, { ...attrs, alpha })
        : matmul(there, here, { ...attrs, alpha });
    const number = constantNumber(scale);
    if (number !== undefined) return product(body, other, attrs.alpha * number);
    const smaller = sizeOf(value.shape) < sizeOf(body.shape);
    if (single && smaller) return mul(product(body, other), scale);
    if (single) continue;
    if (side === 0 && !attrs.transA && smaller && body.shape.length === value.shape.length)
      return mul(product(body, other), scale);
    // The scaled rows are the inner axis: scale the other side's rows instead.
    const inner = attrs.transA && !attrs.transB;
    const fits = sameShape(other.shape.slice(0, -1), scale.shape.slice(0, -1));
    if (inner && fits && sizeOf(other.shape) < sizeOf(body.shape))
      return product(body, mul(other, scale));
  }
  return undefined;
}

/** c · (A·B) is a product with alpha = c. */
export function scaleIntoAlpha(value: Value, around: Around): Value | undefined {
  const parts = scaled(value);
  if (parts?.body.op !== "matmul" || around.users(parts.body).length > 1) return undefined;
  const number = constantNumber(parts.scale);
  if (number === undefined) return undefined;
  const attrs = matmulAttrs(parts.body);
  const [a, b] = parts.body.inputs as [Value, Value];
  return matmul(a, b, { ...attrs, alpha: attrs.alpha * number });
}

/**
 * A·B + b = [A 1]·[B; b], where the result is far larger than both: ONNX Runtime spreads a bias
 * on one thread before it multiplies, which costs a third more time for the logits of a step.
 */
export function biasIntoProduct(value: Value, around: Around): Value | undefined {
  if (value.op !== "add") return undefined;
  const [product, bias] = value.inputs as [Value, Value];
  if (product.op !== "matmul" || around.users(product).length > 1) return undefined;
  const { transA, transB, alpha } = matmulAttrs(product);
  const [a, b] = product.inputs as [Value, Value];
  if (transA || transB || alpha !== 1 || b.shape.length !== 2 || value.dtype !== "float32")
    return undefined;
  // A weight that stays in its file would be copied.
  if (viewedLeaf(b).op === "weight") return undefined;
  const [inner, columns] = b.shape as [number, number];
  const rows = sizeOf(a.shape) / inner;
  if (!sameShape(bias.shape, [columns]) || columns < 4 * inner || rows < 16 * inner)
    return undefined;
  if (rows * columns < 1 << 24) return undefined;
  const ones = tensor("float32", [...a.shape.slice(0, -1), 1], new Float32Array(rows).fill(1));
  const wide = concat([a, constant(ones)], { axis: a.shape.length - 1 });
  return matmul(wide, concat([b, reshape(bias, [1, columns])], { axis: 0 }));
}

/** A product reads a matrix transposed at no cost; moving the last axis costs a slow copy. */
export function transposeInProduct(value: Value): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const attrs = matmulAttrs(value);
  const inputs = [...value.inputs] as [Value, Value];
  const flags = { transA: attrs.transA, transB: attrs.transB };
  let changed = false;
  for (const [i, flag] of [
    [0, "transA"],
    [1, "transB"],
  ] as const) {
    const from = inputs[i];
    if (from.op !== "transpose") continue;
    const perm = from.attrs.perm as readonly number[];
    if (perm.at(-2) !== perm.length - 1) continue;
    inputs[i] = transpose(from.inputs[0]!, swapEnds(perm));
    flags[flag] = !flags[flag];
    changed = true;
  }
  return changed ? matmul(...inputs, { ...attrs, ...flags }) : undefined;
}

/** (A·B)ᵀ = Bᵀ·Aᵀ. */
export function transposeOfProduct(value: Value, around: Around): Value | undefined {
  const [from] = value.inputs;
  if (value.op !== "transpose" || from?.op !== "matmul" || around.users(from).length > 1)
    return undefined;
  const perm = value.attrs.perm as readonly number[];
  if (perm.at(-1) !== perm.length - 2) return undefined;
  const { transA, transB, alpha } = matmulAttrs(from);
  const [a, b] = from.inputs as [Value, Value];
  const turned = matmul(b, a, { transA: !transB, transB: !transA, alpha });
  const last = perm.length - 1;
  return transpose(
    turned,
    perm.map((axis) => (axis === last ? last - 1 : axis === last - 1 ? last : axis)),
  );
}

function swapEnds(perm: readonly number[]): number[] {
  return [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!];
}

/**
 * Σₖ P·(G·Vᵀ) = Σ G·(P·V), where the graph has P·V already: the row sums of attention's gradient
 * from [query, d_head] and not from [query, key] (Dao et al. 2022, appendix B.2).
 */
export function sumThroughProduct(value: Value, around: Around): Value | undefined {
  const [product] = value.inputs;
  const axes = value.attrs.axes as readonly number[];
  if (value.op !== "sum" || product!.op !== "mul") return undefined;
  if (axes.length !== 1 || axes[0] !== product!.shape.length - 1) return undefined;
  const [a, b] = product!.inputs as [Value, Value];
  for (const [p, made] of [
    [a, b],
    [b, a],
  ] as const) {
    if (made.op !== "matmul" || !sameShape(p.shape, made.shape)) continue;
    const { transA, transB, alpha } = matmulAttrs(made);
    const [g, v] = made.inputs as [Value, Value];
    if (transA || sizeOf(g.shape) >= sizeOf(made.shape)) continue;
    const mixed = around.find(matmul(p, v, { transB: !transB }));
    if (mixed === undefined || !sameShape(mixed.shape, g.shape)) continue;
    const keepDims = value.attrs.keepDims as boolean;
    return mul(sum(mul(g, mixed), { axes, keepDims }), alpha);
  }
  return undefined;
}

/** [A·B, A·C] = A·[B, C]: one product where several write beside each other. */
export function productsToOne(value: Value, around: Around): Value | undefined {
  if (value.op !== "concat" || value.attrs.axis !== value.shape.length - 1) return undefined;
  const [first] = value.inputs as [Value];
  const { transA, alpha } = matmulAttrs(first);
  const alike = value.inputs.every(
    (one) =>
      one.op === "matmul" &&
      one.inputs[0] === first.inputs[0] &&
      isDeepStrictEqual(one.attrs, first.attrs) &&
      one.inputs[1]!.shape.length === 2 &&
      around.users(one).length === 1,
  );
  if (!alike || matmulAttrs(first).transB || value.inputs.length < 2) return undefined;
  const right = concat(
    value.inputs.map(({ inputs }) => inputs[1]!),
    { axis: 1 },
  );
  return matmul(first.inputs[0]!, right, { transA, alpha });
}
