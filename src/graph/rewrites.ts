// Which values have a cheaper equal: each rule looks at one value and may answer with another.
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import { fromCells, toCells } from "./cells.ts";
import { opOf, withInputs } from "./op.ts";
import { mul } from "./ops/arithmetic.ts";
import { expand, reshape } from "./ops/broadcast.ts";
import { scatterOnto } from "./ops/gather.ts";
import { concat, pad, transpose } from "./ops/layout.ts";
import { matmul } from "./ops/matmul.ts";
import { type Around, type Rewrite, scaled } from "./rewrite.ts";
import {
  biasIntoProduct,
  productsToOne,
  scaleIntoAlpha,
  scaleOutOfProduct,
  sliceAfterBias,
  sliceAfterProduct,
  sumThroughProduct,
  transposeInProduct,
  transposeOfProduct,
} from "./rewrites-products.ts";
import { sameShape } from "./shape.ts";
import { constant, constantNumber, isFloat, type Value } from "./value.ts";
import { viewedLeaf, viewOf } from "./view.ts";

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
  scatterIntoSum,
  productsToOne,
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

/** The gradient of a tied embedding: what its rows were read for is added to what the logits gave. */
function scatterIntoSum(value: Value, around: Around): Value | undefined {
  if (value.op !== "add" || !sameShape(value.inputs[0]!.shape, value.inputs[1]!.shape))
    return undefined;
  for (const [sum, scattered] of [value.inputs, [...value.inputs].reverse()] as [Value, Value][])
    if ([sum, scattered].every((one) => around.users(one).length === 1)) {
      const made = scatterOnto(sum, scattered);
      if (made !== undefined) return made;
    }
  return undefined;
}
