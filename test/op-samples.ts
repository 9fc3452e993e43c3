// What the tests of the op table draw from: for each op, random shapes, options and numbers.
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { NodeProtoSchema } from "../src/formats/onnx/onnx_pb.ts";
import { erf, gelu, geluTanh, relu, sigmoid, silu, tanh } from "../src/graph/ops/activation.ts";
import * as arithmetic from "../src/graph/ops/arithmetic.ts";
import { expand, reshape, sum } from "../src/graph/ops/broadcast.ts";
import {
  gather,
  scatterAdd,
  scatterAlong,
  scatterInto,
  takeAlong,
} from "../src/graph/ops/gather.ts";
import { concat, pad, slice, transpose } from "../src/graph/ops/layout.ts";
import * as logic from "../src/graph/ops/logic.ts";
import { matmul } from "../src/graph/ops/matmul.ts";
import { layerNorm, rmsNorm } from "../src/graph/ops/norm.ts";
import { alias, opaque } from "../src/graph/ops/opaque.ts";
import type { Operand } from "../src/graph/ops/pointwise.ts";
import { avgPool, maxPool } from "../src/graph/ops/pool.ts";
import { argmax, cumsum, max, mean, min } from "../src/graph/ops/reduce.ts";
import * as rounding from "../src/graph/ops/rounding.ts";
import { oneHot, topK } from "../src/graph/ops/select.ts";
import { shortcut } from "../src/graph/ops/shortcut.ts";
import { crossEntropy, logSoftmax, softmax } from "../src/graph/ops/softmax.ts";
import * as trigonometry from "../src/graph/ops/trigonometry.ts";
import type { Value } from "../src/graph/value.ts";
import {
  along,
  anyShape,
  binary,
  type Draw,
  type Leaf,
  pairOfShapes,
  reduction,
  type Sample,
  seed,
  shapeAndAxis,
  side,
  someShape,
  unary,
} from "./op-draw.ts";
import {
  convolved,
  convolvedAnyhow,
  convolvedBack,
  pooled,
  pooledAnyhow,
} from "./op-samples-windows.ts";

const matrices: Draw = fc
  .record({
    batches: pairOfShapes,
    sizes: fc.tuple(side, side, side),
    transA: fc.boolean(),
    transB: fc.boolean(),
    alpha: fc.constantFrom(1, 0.5),
    seed,
  })
  .map(({ batches: [a, b], sizes: [m, k, n], seed, ...options }) => ({
    leaves: [
      { shape: [...a, ...(options.transA ? [k, m] : [m, k])], fill: "normal" },
      { shape: [...b, ...(options.transB ? [n, k] : [k, n])], fill: "normal" },
    ],
    build: ([x, y]) => matmul(x!, y!, options),
    seed,
  }));

const indexed: Draw = fc
  .record({ at: shapeAndAxis, indices: anyShape, seed })
  .map(({ at: [shape, axis], indices, seed }) => ({
    leaves: [
      { shape, fill: "normal" },
      { shape: indices, fill: { below: shape[axis]! } },
    ],
    build: ([x, i]) => gather(x!, i!, { axis }),
    seed,
  }));

const scattered: Draw = fc
  .record({ before: anyShape, indices: anyShape, after: anyShape, size: side, seed })
  .map(({ before, indices, after, size, seed }) => ({
    leaves: [
      { shape: indices, fill: { below: size } },
      { shape: [...before, ...indices, ...after], fill: "normal" },
    ],
    build: ([i, x]) => scatterAdd(i!, x!, { size, axis: before.length }),
    seed,
  }));

const taken: Draw = fc
  .record({ at: shapeAndAxis, n: side, seed })
  .map(({ at: [shape, axis], n, seed }) => ({
    leaves: [
      { shape, fill: "normal" },
      { shape: shape.map((m, i) => (i === axis ? n : m)), fill: { below: shape[axis]! } },
    ],
    build: ([x, i]) => takeAlong(x!, i!, { axis }),
    seed,
  }));

const scatteredAlong: Draw = fc
  .record({ at: shapeAndAxis, size: side, seed })
  .map(({ at: [shape, axis], size, seed }) => ({
    leaves: [
      { shape, fill: { below: size } },
      { shape, fill: "normal" },
    ],
    build: ([i, x]) => scatterAlong(i!, x!, { size, axis }),
    seed,
  }));

const sliced: Draw = shapeAndAxis.chain(([shape, axis]) =>
  fc
    .record({
      start: fc.nat({ max: shape[axis]! }),
      length: fc.nat({ max: shape[axis]! }),
      step: fc.integer({ min: 1, max: 3 }),
      seed,
    })
    .filter(({ length }) => length > 0)
    .map(({ start, length, step, seed }) => {
      const from = Math.min(start, shape[axis]! - 1);
      const end = Math.min(shape[axis]!, from + length);
      return {
        leaves: [{ shape, fill: "normal" }],
        build: ([x]) => slice(x!, { axis, start: from, end, step }),
        seed,
      };
    }),
);

const joined: Draw = fc
  .record({ at: shapeAndAxis, sizes: fc.array(side, { minLength: 2, maxLength: 3 }), seed })
  .map(({ at: [shape, axis], sizes, seed }) => ({
    leaves: sizes.map((n) => ({
      shape: shape.map((m, i) => (i === axis ? n : m)),
      fill: "normal",
    })),
    build: (parts) => concat(parts, { axis }),
    seed,
  }));

const padded: Draw = someShape.chain((shape) =>
  fc
    .record({
      sides: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })), {
        minLength: shape.length,
        maxLength: shape.length,
      }),
      value: fc.constantFrom(0, -2),
      seed,
    })
    .map(({ sides, value, seed }) => ({
      leaves: [{ shape, fill: "normal" }],
      build: ([x]) => pad(x!, sides, { value }),
      seed,
    })),
);

const permuted: Draw = someShape.chain((shape) =>
  fc
    .record({
      perm: fc.shuffledSubarray(
        shape.map((_, i) => i),
        { minLength: shape.length },
      ),
      seed,
    })
    .map(({ perm, seed }) => ({
      leaves: [{ shape, fill: "normal" }],
      build: ([x]) => transpose(x!, perm),
      seed,
    })),
);

const spread: Draw = fc.record({ shapes: pairOfShapes, more: anyShape, seed }).map(
  ({ shapes: [shape], more, seed }): Sample => ({
    leaves: [{ shape, fill: "normal" }],
    build: ([x]) => expand(x!, [...more, ...shape.map((n, i) => (n === 1 ? i + 2 : n))]),
    seed,
  }),
);

const chosen: Draw = fc.record({ shapes: pairOfShapes, c: fc.boolean(), seed }).map(
  ({ shapes: [a, b], c, seed }): Sample => ({
    leaves: [
      { shape: c ? a : b, fill: "condition" },
      { shape: a, fill: "normal" },
      { shape: b, fill: "normal" },
    ],
    build: ([condition, x, y]) => logic.where(condition!, x!, y!),
    seed,
  }),
);

const losses: Draw = fc
  .record({ rows: anyShape, n: fc.integer({ min: 2, max: 5 }), weighted: fc.boolean(), seed })
  .map(({ rows, n, weighted, seed }) => ({
    leaves: [
      { shape: [...rows, n], fill: "normal" },
      { shape: rows, fill: { below: n } },
      { shape: rows, fill: "positive" },
    ],
    build: ([x, targets, weights]) =>
      crossEntropy(x!, targets!, weighted ? { weights: weights! } : {}),
    seed,
  }));

function normed(make: (x: Value, weight?: Value, bias?: Value) => Value): Draw {
  return fc
    .record({ rows: anyShape, width: fc.integer({ min: 3, max: 6 }), given: fc.nat(2), seed })
    .map(({ rows, width, given, seed }) => ({
      leaves: [
        { shape: [...rows, width], fill: "apart" },
        ...[1, 2].slice(0, given).map((): Leaf => ({ shape: [width], fill: "normal" })),
      ],
      build: ([x, weight, bias]) => make(x!, weight, bias),
      seed,
    }));
}

const top: Draw = shapeAndAxis.chain(([shape, axis]) =>
  fc.record({ k: fc.integer({ min: 1, max: shape[axis]! }), seed }).map(({ k, seed }) => ({
    leaves: [{ shape, fill: "apart" }],
    build: ([x]) => topK(x!, k, { axis }).values,
    seed,
  })),
);

function scatteredInto(how: "replace" | "add"): Draw {
  return fc
    .record({ n: fc.integer({ min: 2, max: 6 }), m: fc.integer({ min: 1, max: 6 }), seed })
    .map(({ n, m, seed }) => ({
      leaves: [
        { shape: [n], fill: "normal" },
        { shape: how === "add" ? [m] : [1], fill: { below: n } },
        { shape: how === "add" ? [m] : [1], fill: "normal" },
      ],
      build: ([x, i, updates]) => scatterInto(x!, i!, updates!, { how }),
      seed,
    }));
}

const { abs, add, clip, div, exp, log, maximum, minimum, mul, neg, pow, rsqrt } = arithmetic;
const { and, cast, equal, greater, greaterEqual, less, lessEqual, not, or } = logic;
/** ONNX's Not as a node that we do not look into. */
function opaqueNot(x: Value): Value {
  const node = create(NodeProtoSchema, { opType: "Not", input: ["in"], output: ["out"] });
  const part = {
    nodes: [node],
    initializers: new Map(),
    inputs: ["in"],
    opsets: { "": 1 },
    key: "not",
    reference: ([cells]: readonly Float64Array[]) => cells!.map((held) => 1 - held),
  };
  return opaque(part, [x], { output: "out", shape: x.shape, dtype: "bool" });
}

const sin01 = (x: Value) => mul(trigonometry.sin(x), 0.8);
const plusOne = (x: Operand) => add(x, 1);
const float = (condition: Value) => cast(condition, "float32");

/** By the name of the op that each is about. */
export const samples: Readonly<Record<string, Draw>> = {
  add: binary(add, ["normal", "normal"]),
  sub: binary(arithmetic.sub, ["normal", "normal"]),
  mul: binary(mul, ["normal", "normal"]),
  div: binary(div, ["normal", "positive"]),
  maximum: binary(maximum, ["apart", "normal"]),
  minimum: binary(minimum, ["normal", "apart"]),
  pow: binary(pow, ["positive", "normal"]),
  neg: unary(neg),
  abs: unary(abs, "apart"),
  sign: unary(arithmetic.sign, "apart"),
  square: unary(arithmetic.square),
  exp: unary(exp),
  log: unary(log, "positive"),
  sqrt: unary(arithmetic.sqrt, "positive"),
  rsqrt: unary(rsqrt, "positive"),
  clip: fc
    .constantFrom<{ min?: number; max?: number }>(
      { min: -0.9 },
      { max: 0.9 },
      { min: -0.9, max: 0.9 },
    )
    .chain((bounds) => unary((x) => clip(x, bounds), "apart")),
  relu: unary(relu, "apart"),
  gelu: unary(gelu),
  geluTanh: unary(geluTanh),
  silu: unary(silu),
  sigmoid: unary(sigmoid),
  tanh: unary(tanh),
  erf: unary(erf),
  equal: binary((a, b) => equal(a, b), [{ below: 3 }, { below: 3 }]),
  less: binary(less, ["apart", "normal"]),
  lessEqual: binary(lessEqual, [{ below: 3 }, { below: 3 }]),
  greater: binary(greater, ["apart", "normal"]),
  greaterEqual: binary(greaterEqual, [{ below: 3 }, { below: 3 }]),
  and: binary(and, ["condition", "condition"]),
  or: binary(or, ["condition", "condition"]),
  not: unary(not, "condition"),
  where: chosen,
  cast: unary(float, "condition"),
  sum: reduction(sum),
  mean: reduction(mean),
  max: reduction(max, "apart"),
  min: reduction(min, "apart"),
  argmax: along((x, axis, keepDims) => argmax(x, { axis, keepDims }), "apart"),
  cumsum: along((x, axis, reverse) => cumsum(x, { axis, reverse, exclusive: !reverse })),
  matmul: matrices,
  softmax: along((x, axis) => softmax(x, { axis })),
  logSoftmax: along((x, axis) => logSoftmax(x, { axis })),
  crossEntropy: losses,
  layerNorm: normed((x, weight, bias) => layerNorm(x, { weight, bias })),
  rmsNorm: normed((x, weight) => rmsNorm(x, { weight })),
  gather: indexed,
  takeAlong: taken,
  scatterAdd: scattered,
  scatterAlong: scatteredAlong,
  slice: sliced,
  concat: joined,
  pad: padded,
  transpose: permuted,
  reshape: unary((x) => reshape(x, [1, -1, 1])),
  expand: spread,
  oneHot: fc.record({ shape: anyShape, depth: side, seed }).map(({ shape, depth, seed }) => ({
    leaves: [{ shape, fill: { below: depth } }],
    build: ([i]) => oneHot(i!, depth),
    seed,
  })),
  topKValues: top,
  scatterIntoReplace: scatteredInto("replace"),
  scatterIntoAdd: scatteredInto("add"),
  sin: unary(trigonometry.sin),
  cos: unary(trigonometry.cos),
  tan: unary((x) => trigonometry.tan(sin01(x))),
  asin: unary((x) => trigonometry.asin(sin01(x))),
  acos: unary((x) => trigonometry.acos(sin01(x))),
  atan: unary(trigonometry.atan),
  sinh: unary(trigonometry.sinh),
  cosh: unary(trigonometry.cosh),
  asinh: unary(trigonometry.asinh),
  acosh: unary((x) => trigonometry.acosh(add(x, 1)), "positive"),
  atanh: unary((x) => trigonometry.atanh(sin01(x))),
  softplus: unary(trigonometry.softplus),
  floor: unary(rounding.floor, "apart"),
  ceil: unary(rounding.ceil, "apart"),
  round: unary(rounding.round, "apart"),
  quotient: binary((a, b) => rounding.quotient(a, plusOne(b)), [{ below: 9 }, { below: 3 }]),
  remainder: binary((a, b) => rounding.remainder(a, plusOne(b)), [{ below: 9 }, { below: 3 }]),
  remainderOfFloats: binary((a, b) => rounding.remainder(a, mul(b, 1.7)), ["apart", "positive"]),
  remainderLikeDivisor: binary(
    (a, b) => rounding.remainder(a, neg(plusOne(b)), { like: "divisor" }),
    [{ below: 9 }, { below: 3 }],
  ),
  bitsAnd: binary((a, b) => rounding.bits("and", a, b), [{ below: 99 }, { below: 99 }]),
  bitsOr: binary((a, b) => rounding.bits("or", a, b), [{ below: 99 }, { below: 99 }]),
  bitsXor: binary((a, b) => rounding.bits("xor", a, b), [{ below: 99 }, { below: 99 }]),
  isNan: unary((x) => rounding.isNan(log(x))),
  opaque: unary((x) => logic.not(opaqueNot(x)), "condition"),
  alias: unary((x) => exp(alias(x))),
  shortcut: unary((x) => shortcut(mul(exp(x), exp(x)), exp(add(x, x)), [])),
  conv: convolvedAnyhow,
  convTranspose: convolvedBack,
  maxPoolAnyhow: pooledAnyhow(maxPool),
  avgPoolAnyhow: pooledAnyhow(avgPool),
  conv2d: convolved,
  maxPool: pooled(maxPool),
  avgPool: pooled(avgPool),
};
