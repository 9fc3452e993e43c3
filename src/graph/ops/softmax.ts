// Distributions along an axis: softmax, its logarithm, and cross entropy with its exact gradient.
import { check } from "../../base/errors.ts";
import { type Cells, defineOp, type Emitter, type Node } from "../op.ts";
import { aroundAxis, axisOf, sameShape } from "../shape.ts";
import { isFloat, showSpecs, type Value } from "../value.ts";
import { exp, mul, sub } from "./arithmetic.ts";
import { sum, unsqueeze } from "./broadcast.ts";

function inferFloat(op: string, [x]: readonly Value[]) {
  check(isFloat(x!.dtype), "dtype/float", `${op}: not a float`, {
    got: showSpecs([x!]),
    wanted: "float32 or float64",
  });
  return { shape: x!.shape, dtype: x!.dtype };
}

const makeSoftmax = defineOp<{ axis: number }>({
  name: "softmax",
  infer: (inputs) => inferFloat("softmax", inputs),
  vjp: (grad, node) => {
    const { axis } = node.attrs;
    const out = node as Value;
    return [mul(out, sub(grad, sum(mul(grad, out), { axes: axis, keepDims: true })))];
  },
  lower: (to, { attrs: { axis } }, [x]) => softmaxOf(to, x!, axis),
  reference: ([x], { shape, attrs: { axis } }) => logSoftmaxCells(x!, shape, axis).map(Math.exp),
});

export function softmax(x: Value, { axis = -1 }: { axis?: number } = {}): Value {
  return makeSoftmax([x], { axis: axisOf("softmax", x, axis) });
}

const makeLogSoftmax = defineOp<{ axis: number }>({
  name: "logSoftmax",
  infer: (inputs) => inferFloat("logSoftmax", inputs),
  vjp: (grad, node) => {
    const { axis } = node.attrs;
    const total = sum(grad, { axes: axis, keepDims: true });
    return [sub(grad, mul(exp(node as Value), total))];
  },
  lower: (to, { attrs: { axis } }, [x]) => to.node("LogSoftmax", [x!], { attributes: { axis } }),
  reference: ([x], { shape, attrs: { axis } }) => logSoftmaxCells(x!, shape, axis),
});

export function logSoftmax(x: Value, { axis = -1 }: { axis?: number } = {}): Value {
  return makeLogSoftmax([x], { axis: axisOf("logSoftmax", x, axis) });
}

function logSoftmaxCells(x: Cells, shape: readonly number[], axis: number): Cells {
  const [outer, n, inner] = aroundAxis(shape, axis);
  const out = new Float64Array(x.length);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (j: number) => (o * n + j) * inner + i;
      let top = -Infinity;
      for (let j = 0; j < n; j++) top = Math.max(top, x[at(j)]!);
      let total = 0;
      for (let j = 0; j < n; j++) total += Math.exp(x[at(j)]! - top);
      for (let j = 0; j < n; j++) out[at(j)] = x[at(j)]! - top - Math.log(total);
    }
  return out;
}

function inferTargets(op: string, inputs: readonly Value[]): void {
  const [logits, targets] = inputs as [Value, Value];
  inferFloat(op, inputs);
  check(
    sameShape(logits.shape.slice(0, -1), targets.shape) && targets.dtype.startsWith("int"),
    "shape/targets",
    `${op}: not one target a row`,
    { got: showSpecs(inputs), wanted: "logits [..., V] and integer targets [...]" },
  );
}

const makeCrossEntropy = defineOp<object>({
  name: "crossEntropy",
  infer: (inputs) => {
    inferTargets("crossEntropy", inputs);
    return { shape: inputs[1]!.shape, dtype: inputs[0]!.dtype };
  },
  vjp: (grad, { inputs }) => [
    mul(unsqueeze(grad, -1), makeCrossEntropyGrad(inputs, {})),
    undefined,
  ],
  lower: (to, node, [logits, targets]) => {
    const { target, column } = chances(to, node, logits!, targets!);
    const { dtype, shape } = node;
    // −log p is right until p underflows, at 87 nats; beyond, the logarithm is taken first.
    const least = to.node("ReduceMin", [target], { attributes: { keepdims: 0 } });
    const fine = to.node("Greater", [least, to.scalar(1e-37, dtype)]);
    const axis = shape.length;
    const logs = to.choose(
      fine,
      { dtype, shape: [...shape, 1] },
      {
        yes: (inside) => inside.node("Log", [target]),
        no: (inside) => {
          const all = inside.node("LogSoftmax", [logits!], { attributes: { axis } });
          return inside.node("GatherElements", [all, column], { attributes: { axis } });
        },
      },
    );
    return to.node("Reshape", [to.node("Neg", [logs]), to.ints(shape)]);
  },
  reference: ([logits, targets], { inputs }) => {
    const n = inputs[0]!.shape.at(-1)!;
    const logs = logSoftmaxCells(logits!, inputs[0]!.shape, inputs[0]!.shape.length - 1);
    return targets!.map((target, row) => -logs[row * n + target]!);
  },
});

/** softmax(logits), with p − 1 at the target: the gradient of cross entropy, row by row. */
const makeCrossEntropyGrad = defineOp<object>({
  name: "crossEntropyGrad",
  infer: (inputs) => {
    inferTargets("crossEntropyGrad", inputs);
    return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
  },
  vjp: (grad, { inputs }) => {
    const p = softmax(inputs[0]!);
    return [mul(p, sub(grad, sum(mul(grad, p), { axes: -1, keepDims: true }))), undefined];
  },
  lower: (to, node, [logits, targets]) => {
    // One index a row: nothing repeats, so nothing has to be added, and nothing can race.
    const { all, target, column } = chances(to, node, logits!, targets!);
    const less = to.node("Sub", [target, to.scalar(1, node.dtype)]);
    const axis = node.shape.length - 1;
    return to.node("ScatterElements", [all, column, less], { attributes: { axis } });
  },
  reference: ([logits, targets], { inputs }) => {
    const { shape } = inputs[0]!;
    const out = logSoftmaxCells(logits!, shape, shape.length - 1).map(Math.exp);
    targets!.forEach((target, row) => {
      out[row * shape.at(-1)! + target]! -= 1;
    });
    return out;
  },
});

/**
 * −log softmax(logits)[target], in nats: logits [..., V], targets [...] → [...].
 * With `weights` [...], each row's loss is multiplied by its weight.
 */
export function crossEntropy(
  logits: Value,
  targets: Value,
  { weights }: { weights?: Value } = {},
): Value {
  const losses = makeCrossEntropy([logits, targets], {});
  return weights === undefined ? losses : mul(losses, weights);
}

/** The probabilities that a loss and its gradient share, made once. */
function chances(
  to: Emitter,
  node: Pick<Node<object>, "inputs">,
  logits: string,
  targets: string,
): { all: string; target: string; column: string } {
  const axis = node.inputs[0]!.shape.length - 1;
  return to.shared(`chances ${logits} ${targets}`, () => {
    const all = softmaxOf(to, logits, axis);
    const column = to.node("Reshape", [targets, to.ints([...node.inputs[1]!.shape, 1])]);
    const target = to.node("GatherElements", [all, column], { attributes: { axis } });
    return { all, target, column };
  });
}

function softmaxOf(to: Emitter, x: string, axis: number): string {
  return to.shared(`softmax ${x} ${axis}`, () => to.node("Softmax", [x], { attributes: { axis } }));
}
