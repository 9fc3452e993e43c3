// Which values have a cheaper equal: each rule looks at one value and may answer with another.
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { fromCells, toCells } from "./cells.ts";
import { opOf, withInputs } from "./op.ts";
import { add, mul } from "./ops/arithmetic.ts";
import { expand, reshape, sum } from "./ops/broadcast.ts";
import { concat, pad, transpose } from "./ops/layout.ts";
import { type MatmulAttrs, matmul } from "./ops/matmul.ts";
import { partOfProduct } from "./parts.ts";
import { sameShape } from "./shape.ts";
import { constant, constantNumber, isFloat, type Value } from "./value.ts";
import { viewedLeaf, viewOf } from "./view.ts";

/** What a rule may know of the graph around a value. */
export interface Around {
  /** The ops that use it, once a use; "output" where the program does. */
  users(value: Value): readonly string[];
  /** The same value, if the graph has it already. */
  find(value: Value): Value | undefined;
}

type Rewrite = (value: Value, around: Around) => Value | undefined;

export const rewrites: readonly Rewrite[] = [
  dropAlias,
  foldNumbers,
  shortenView,
  sliceAfterProduct,
  sliceAfterBias,
  dropExpand,
  expandLater,
  divideByNumber,
  scaleAfterReshape,
  scaleOutOfProduct,
  scaleOutOfSum,
  scaleIntoAlpha,
  biasIntoProduct,
  transposeInProduct,
  transposeOfProduct,
  padsToConcat,
  sumThroughProduct,
];

/** A second name for a value costs nothing. */
function dropAlias(value: Value): Value | undefined {
  return value.op === "alias" ? value.inputs[0] : undefined;
}

/** What is made of a few constants is a constant. */
function foldNumbers(value: Value): Value | undefined {
  if (value.op === "opaque") return undefined;
  const small = ({ shape }: Value) => sizeOf(shape) <= 64;
  if (value.inputs.length === 0 || !small(value)) return undefined;
  if (!value.inputs.every((from) => from.op === "constant" && small(from))) return undefined;
  if ([value, ...value.inputs].some(({ dtype }) => dtype.endsWith("float16"))) return undefined;
  const cells = value.inputs.map(({ attrs }) => toCells(attrs.tensor as Tensor));
  return constant(fromCells(value.dtype, value.shape, opOf(value)!.reference(cells, value)));
}

/** Reshapes and transposes of a weight come to at most one of each, mostly to one or none. */
function shortenView(value: Value): Value | undefined {
  if (value.op !== "reshape" && value.op !== "transpose") return undefined;
  const view = viewOf(value);
  if (view === undefined) return undefined;
  const leaf = viewedLeaf(view.base);
  if (leaf.op !== "weight" && leaf.op !== "input") return undefined;
  const same = view.perm.every((axis, i) => axis === i);
  const turned = () => transpose(reshape(view.base, view.shape), view.perm);
  const made = reshape(same ? view.base : turned(), value.shape);
  const count = viewOf(made)?.steps ?? 0;
  return count < view.steps ? made : undefined;
}

/**
 * x · (part of W) = part of (x · W), where other products read other parts: a weight that
 * holds queries, keys and values is not copied apart, and is read once.
 */
function sliceAfterProduct(value: Value, around: Around): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const { transA, transB, alpha } = value.attrs as unknown as MatmulAttrs;
  const [x, part] = value.inputs as [Value, Value];
  if (transA || x.shape.length !== 2 || part.shape.length !== 2) return undefined;
  const found = partOfProduct(part, transB ? 1 : 0);
  if (found === undefined) return undefined;
  if (around.users(found.sliced).filter((op) => op === "slice").length < 2) return undefined;
  return found.make(x, alpha);
}

/** part of P + the same part of b = part of (P + b): a product takes its bias in passing. */
function sliceAfterBias(value: Value, around: Around): Value | undefined {
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

const broadcasting = new Set([
  ..."add sub mul div where maximum minimum pow".split(" "),
  ..."equal less lessEqual greater greaterEqual and or".split(" "),
]);

/** x + expand(y) = x + y: elementwise ops broadcast by themselves. */
function dropExpand(value: Value): Value | undefined {
  if (!broadcasting.has(value.op)) return undefined;
  for (const [i, from] of value.inputs.entries()) {
    if (from.op !== "expand") continue;
    const inputs = value.inputs.map((other, j) => (j === i ? from.inputs[0]! : other));
    if (sameShape(opOf(value)!.infer(inputs, value.attrs).shape, value.shape))
      return withInputs(value, inputs);
  }
  return undefined;
}

/** reshape(expand(number)) = expand(number): one number has no layout. */
function expandLater(value: Value): Value | undefined {
  const [from] = value.inputs;
  if (from?.op !== "expand" || sizeOf(from.inputs[0]!.shape) !== 1) return undefined;
  if (value.op !== "reshape" && value.op !== "transpose" && value.op !== "expand") return undefined;
  return expand(reshape(from.inputs[0]!, []), value.shape);
}

/** x / c = x · (1/c): a factor can move into a product, a divisor cannot. */
function divideByNumber(value: Value): Value | undefined {
  if (value.op !== "div" || !isFloat(value.dtype)) return undefined;
  const [x, by] = value.inputs as [Value, Value];
  const number = constantNumber(by);
  if (number === undefined || number === 0 || !sameShape(x.shape, value.shape)) return undefined;
  return mul(x, 1 / number);
}

/**
 * `value` = scale · body, where the scale is one number, or one number a row ([..., 1]). A scale
 * costs a pass over the body, so it is moved to where less has to be multiplied.
 */
function scaled(value: Value): { scale: Value; body: Value; single: boolean } | undefined {
  if (value.op !== "mul") return undefined;
  for (const [scale, body] of [value.inputs, [...value.inputs].reverse()] as [Value, Value][]) {
    if (!sameShape(body.shape, value.shape) || sizeOf(body.shape) === 1) continue;
    if (sizeOf(scale.shape) === 1) return { scale: reshape(scale, []), body, single: true };
    const rows = [...body.shape.slice(0, -1), 1];
    if (sameShape(scale.shape, rows) && body.shape.at(-1) !== 1)
      return { scale, body, single: false };
  }
  return undefined;
}

/** reshape(s · D) = s · reshape(D), where rows stay rows, on the way to a product or a sum. */
function scaleAfterReshape(value: Value, around: Around): Value | undefined {
  if (value.op !== "reshape") return undefined;
  if (!around.users(value).every((op) => op === "matmul" || op === "sum")) return undefined;
  const parts = scaled(value.inputs[0]!);
  if (parts === undefined) return undefined;
  const { scale, body, single } = parts;
  if (single) return mul(reshape(body, value.shape), scale);
  if (value.shape.at(-1) !== body.shape.at(-1)) return undefined;
  return mul(reshape(body, value.shape), reshape(scale, [...value.shape.slice(0, -1), 1]));
}

/** (s · D)·B = s · (D·B), and (s · D)ᵀ·B = Dᵀ·(s · B), where the right side has less to scale. */
function scaleOutOfProduct(value: Value): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const attrs = value.attrs as unknown as MatmulAttrs;
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

/** Σ rows of (s · D) = sᵀ·D. */
function scaleOutOfSum(value: Value): Value | undefined {
  if (value.op !== "sum") return undefined;
  const [from] = value.inputs;
  const parts = scaled(from!);
  if (parts === undefined) return undefined;
  const { scale, body, single } = parts;
  if (single) return mul(withInputs(value, [body]), scale);
  const axes = value.attrs.axes as readonly number[];
  const width = body.shape.at(-1)!;
  if (axes.length !== body.shape.length - 1 || axes.includes(axes.length)) return undefined;
  return reshape(matmul(reshape(scale, [1, -1]), reshape(body, [-1, width])), value.shape);
}

/** c · (A·B) is a product with alpha = c. */
function scaleIntoAlpha(value: Value, around: Around): Value | undefined {
  const parts = scaled(value);
  if (parts?.body.op !== "matmul" || around.users(parts.body).length > 1) return undefined;
  const number = constantNumber(parts.scale);
  if (number === undefined) return undefined;
  const attrs = parts.body.attrs as unknown as MatmulAttrs;
  const [a, b] = parts.body.inputs as [Value, Value];
  return matmul(a, b, { ...attrs, alpha: attrs.alpha * number });
}

/**
 * A·B + b = [A 1]·[B; b], where the result is far larger than both: ONNX Runtime spreads a bias
 * on one thread before it multiplies, which costs a third more time for the logits of a step.
 */
function biasIntoProduct(value: Value, around: Around): Value | undefined {
  if (value.op !== "add") return undefined;
  const [product, bias] = value.inputs as [Value, Value];
  if (product.op !== "matmul" || around.users(product).length > 1) return undefined;
  const { transA, transB, alpha } = product.attrs as unknown as MatmulAttrs;
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
function transposeInProduct(value: Value): Value | undefined {
  if (value.op !== "matmul") return undefined;
  const attrs = value.attrs as unknown as MatmulAttrs;
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
function transposeOfProduct(value: Value, around: Around): Value | undefined {
  const [from] = value.inputs;
  if (value.op !== "transpose" || from?.op !== "matmul" || around.users(from).length > 1)
    return undefined;
  const perm = value.attrs.perm as readonly number[];
  if (perm.at(-1) !== perm.length - 2) return undefined;
  const { transA, transB, alpha } = from.attrs as unknown as MatmulAttrs;
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

interface Piece {
  value: Value;
  start: number;
  end: number;
}

/** pad(a) + pad(b), which do not overlap = concat: the gradient of slices that tile an axis. */
function padsToConcat(value: Value): Value | undefined {
  if (value.op !== "add") return undefined;
  for (let axis = 0; axis < value.shape.length; axis++) {
    const pieces = piecesOf(value, axis)?.sort((a, b) => a.start - b.start);
    if (pieces === undefined) continue;
    if (pieces.some(({ end }, i) => i + 1 < pieces.length && end > pieces[i + 1]!.start)) continue;
    // Gaps between pieces stay zeros; only what is left at the ends is padded.
    const tiled = pieces.every(
      ({ end }, i) => i + 1 === pieces.length || end === pieces[i + 1]!.start,
    );
    if (!tiled) continue;
    const parts = pieces.flatMap(({ value: part }) =>
      part.op === "concat" && part.attrs.axis === axis ? part.inputs : [part],
    );
    const joined = concat(parts, { axis });
    const rest = value.shape[axis]! - pieces.at(-1)!.end;
    return pad(
      joined,
      value.shape.map((_, i) => (i === axis ? [pieces[0]!.start, rest] : [0, 0])),
    );
  }
  return undefined;
}

/** The parts of a sum of zero pads along one axis. */
function piecesOf(value: Value, axis: number): Piece[] | undefined {
  if (value.op === "add") {
    const parts = value.inputs.map((from) => piecesOf(from, axis));
    return parts.some((part) => part === undefined) ? undefined : (parts.flat() as Piece[]);
  }
  if (value.op !== "pad" || value.attrs.value !== 0) return undefined;
  const { before, after } = value.attrs as { before: number[]; after: number[] };
  if ([...before.entries(), ...after.entries()].some(([i, n]) => i !== axis && n > 0))
    return undefined;
  const start = before[axis]!;
  return [{ value: value.inputs[0]!, start, end: start + value.inputs[0]!.shape[axis]! }];
}

/**
 * Σₖ P·(G·Vᵀ) = Σ G·(P·V), where the graph has P·V already: the row sums of attention's gradient
 * from [query, d_head] and not from [query, key] (Dao et al. 2022, appendix B.2).
 */
function sumThroughProduct(value: Value, around: Around): Value | undefined {
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
    const { transA, transB, alpha } = made.attrs as unknown as MatmulAttrs;
    const [g, v] = made.inputs as [Value, Value];
    if (transA || sizeOf(g.shape) >= sizeOf(made.shape)) continue;
    const mixed = around.find(matmul(p, v, { transB: !transB }));
    if (mixed === undefined || !sameShape(mixed.shape, g.shape)) continue;
    const keepDims = value.attrs.keepDims as boolean;
    return mul(sum(mul(g, mixed), { axes, keepDims }), alpha);
  }
  return undefined;
}
