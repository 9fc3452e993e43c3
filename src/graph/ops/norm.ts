// Rescaling along the last axis: layer norm (Ba et al. 2016) and RMS norm (Zhang & Sennrich 2019).
import { check } from "../../base/errors.ts";
import { type DType, tensor } from "../../tensor/tensor.ts";
import { type Cells, defineOp, type Emitter, type Spec } from "../op.ts";
import { sameShape } from "../shape.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { add, mul, rsqrt, square, sub } from "./arithmetic.ts";
import { sumTo } from "./broadcast.ts";
import { mean } from "./reduce.ts";

interface NormAttrs {
  eps: number;
}

function inferNorm(op: string, inputs: readonly Value[]): Spec {
  const [x, ...rest] = inputs;
  const width = x!.shape.slice(-1);
  check(
    x!.shape.length > 0 && rest.every(({ shape }) => sameShape(shape, width)),
    "shape/norm",
    `${op}: scale and bias are not as long as the last axis`,
    { got: showSpecs(inputs), wanted: "x [..., d], scale [d], bias [d]" },
  );
  check(
    isFloat(x!.dtype) && rest.every(({ dtype }) => dtype === x!.dtype),
    "dtype/mismatch",
    `${op}: not floats of one dtype`,
    { got: showSpecs(inputs), wanted: "one float dtype" },
  );
  return { shape: x!.shape, dtype: x!.dtype };
}

/** x̂ = (x − centre) / √(mean (x − centre)² + eps), from other ops: what gradients are made of. */
function normalised(x: Value, eps: number, centred: boolean): { hat: Value; scale: Value } {
  const from = centred ? sub(x, mean(x, { axes: -1, keepDims: true })) : x;
  const scale = rsqrt(add(mean(square(from), { axes: -1, keepDims: true }), eps));
  return { hat: mul(from, scale), scale };
}

function vjpNorm(
  grad: Value,
  [x, weight, bias]: readonly Value[],
  eps: number,
  centred: boolean,
): (Value | undefined)[] {
  const { hat, scale } = normalised(x!, eps, centred);
  const toHat = weight === undefined ? grad : mul(grad, weight);
  const along = mean(mul(toHat, hat), { axes: -1, keepDims: true });
  const off = centred ? sub(toHat, mean(toHat, { axes: -1, keepDims: true })) : toHat;
  return [
    mul(sub(off, mul(hat, along)), scale),
    weight && sumTo(mul(grad, hat), weight.shape),
    bias && sumTo(grad, bias.shape),
  ];
}

function normCells(
  [x, weight, bias]: readonly Cells[],
  width: number,
  eps: number,
  centred: boolean,
): Cells {
  const out = new Float64Array(x!.length);
  for (let row = 0; row < x!.length; row += width) {
    const line = x!.subarray(row, row + width);
    const centre = centred ? line.reduce((a, b) => a + b, 0) / width : 0;
    const power = line.reduce((total, v) => total + (v - centre) ** 2, 0) / width;
    for (let i = 0; i < width; i++)
      out[row + i] =
        ((line[i]! - centre) / Math.sqrt(power + eps)) * (weight?.[i] ?? 1) + (bias?.[i] ?? 0);
  }
  return out;
}

function ones(to: Emitter, dtype: DType, width: number): string {
  return to.constant(
    dtype === "float64"
      ? tensor("float64", [width], new Float64Array(width).fill(1))
      : tensor("float32", [width], new Float32Array(width).fill(1)),
  );
}

const makeLayerNorm = defineOp<NormAttrs>({
  name: "layerNorm",
  infer: (inputs) => inferNorm("layerNorm", inputs),
  vjp: (grad, { inputs, attrs: { eps } }) => vjpNorm(grad, inputs, eps, true),
  lower: (to, { shape, dtype, attrs: { eps } }, [x, weight, ...bias]) =>
    to.node("LayerNormalization", [x!, weight ?? ones(to, dtype, shape.at(-1)!), ...bias], {
      attributes: { axis: -1, epsilon: { float: eps } },
    }),
  reference: (cells, { shape, attrs: { eps } }) => normCells(cells, shape.at(-1)!, eps, true),
});

export interface NormOptions {
  /** [d]; 1 when left out. */
  weight?: Value;
  /** [d]; 0 when left out. Wants a weight. */
  bias?: Value;
  eps?: number;
}

/** (x − mean) / √(variance + eps) · weight + bias over the last axis; the variance is biased. */
export function layerNorm(x: Value, { weight, bias, eps = 1e-5 }: NormOptions = {}): Value {
  const inputs = weight === undefined ? [x] : bias === undefined ? [x, weight] : [x, weight, bias];
  const out = makeLayerNorm(inputs, { eps });
  return weight === undefined && bias !== undefined ? add(out, bias) : out;
}

const makeRmsNorm = defineOp<NormAttrs>({
  name: "rmsNorm",
  infer: (inputs) => inferNorm("rmsNorm", inputs),
  vjp: (grad, { inputs, attrs: { eps } }) => vjpNorm(grad, inputs, eps, false),
  // ONNX Runtime's own operator, which lives in the standard domain.
  lower: (to, { shape, dtype, attrs: { eps } }, [x, weight]) =>
    to.node("SimplifiedLayerNormalization", [x!, weight ?? ones(to, dtype, shape.at(-1)!)], {
      attributes: { axis: -1, epsilon: { float: eps } },
    }),
  reference: (cells, { shape, attrs: { eps } }) => normCells(cells, shape.at(-1)!, eps, false),
});

/** x / √(mean x² + eps) · weight over the last axis. */
export function rmsNorm(
  x: Value,
  { weight, eps = 1e-6 }: Pick<NormOptions, "weight" | "eps"> = {},
): Value {
  return makeRmsNorm(weight === undefined ? [x] : [x, weight], { eps });
}
