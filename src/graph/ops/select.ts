// The largest places along an axis, and places written as vectors: topK, oneHot.
import { check } from "../../base/errors.ts";
import { type DType, sizeOf, tensor } from "../../tensor/tensor.ts";
import { type Cells, defineOp, type Emitter, type Node } from "../op.ts";
import { aroundAxis, axisOf } from "../shape.ts";
import { constant, showShape, showSpecs, type Value } from "../value.ts";
import { reshape } from "./broadcast.ts";
import { scatterAlong } from "./gather.ts";
import { cast, equal } from "./logic.ts";
import { checkNumbers } from "./pointwise.ts";

interface TopKAttrs {
  k: number;
  axis: number;
}

function inferTopK(x: Value, { k, axis }: TopKAttrs): number[] {
  checkNumbers("topK", [x]);
  const n = x.shape[axis]!;
  check(Number.isInteger(k) && k >= 0 && k <= n, "shape/topk", "topK: k is larger than the axis", {
    got: `k ${k}, axis ${axis} of ${showShape(x.shape)}`,
    wanted: `0 ≤ k ≤ ${n}`,
  });
  return x.shape.map((m, i) => (i === axis ? k : m));
}

const makeTopValues = defineOp<TopKAttrs>({
  name: "topKValues",
  infer: ([x], attrs) => ({ shape: inferTopK(x!, attrs), dtype: x!.dtype }),
  vjp: (grad, { inputs: [x], attrs }) => [
    scatterAlong(makeTopIndices([x!], attrs), grad, {
      size: x!.shape[attrs.axis]!,
      axis: attrs.axis,
    }),
  ],
  lower: (to, node, [x]) => topKOf(to, node, x!).values,
  reference: ([x], node) => topKCells(x!, node).values,
});

const makeTopIndices = defineOp<TopKAttrs>({
  name: "topKIndices",
  infer: ([x], attrs) => ({ shape: inferTopK(x!, attrs), dtype: "int32" }),
  lower: (to, node, [x]) => topKOf(to, node, x!).indices,
  reference: ([x], node) => topKCells(x!, node).indices,
});

/** The k largest along an axis, descending, with their places (int32); equals: the first wins. */
export function topK(
  x: Value,
  k: number,
  { axis = -1 }: { axis?: number } = {},
): { values: Value; indices: Value } {
  const attrs = { k, axis: axisOf("topK", x, axis) };
  return { values: makeTopValues([x], attrs), indices: makeTopIndices([x], attrs) };
}

/** One TopK node for both results. */
function topKOf(
  to: Emitter,
  { attrs: { k, axis } }: Node<TopKAttrs>,
  x: string,
): { values: string; indices: string } {
  return to.shared(`topK ${x} ${k} ${axis}`, () => {
    const [values, wide] = to.nodes("TopK", [x, to.ints([k])], 2, { attributes: { axis } });
    const indices = to.node("Cast", [wide!], { attributes: { to: 6 } });
    return { values: values!, indices };
  });
}

function topKCells(
  x: Cells,
  { inputs: [from], shape, attrs: { k, axis } }: Node<TopKAttrs>,
): { values: Cells; indices: Cells } {
  const [outer, n, inner] = aroundAxis(from!.shape, axis);
  const values = new Float64Array(sizeOf(shape));
  const indices = new Float64Array(sizeOf(shape));
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (j: number) => x[(o * n + j) * inner + i]!;
      const order = Array.from({ length: n }, (_, j) => j).sort((a, b) => at(b) - at(a) || a - b);
      for (let j = 0; j < k; j++) {
        values[(o * k + j) * inner + i] = at(order[j]!);
        indices[(o * k + j) * inner + i] = order[j]!;
      }
    }
  return { values, indices };
}

/** 1 at the index, 0 elsewhere, along a new last axis; an index outside is all zeros. */
export function oneHot(
  indices: Value,
  depth: number,
  { dtype = "float32" }: { dtype?: DType } = {},
): Value {
  check(indices.dtype.startsWith("int"), "dtype/index", "oneHot: indices are integers", {
    got: showSpecs([indices]),
    wanted: "int32 or int64",
  });
  const places = cast(
    constant(
      tensor(
        "int32",
        [depth],
        Int32Array.from({ length: depth }, (_, i) => i),
      ),
    ),
    indices.dtype,
  );
  return cast(equal(reshape(indices, [...indices.shape, 1]), places), dtype);
}
