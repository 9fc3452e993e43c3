// Every mistake in building a graph is refused where it is made, with all shapes in the text.
import { describe, expect, test } from "vitest";
import { describeError, isError } from "../base/errors.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import * as g from "./index.ts";

const a = g.input("a", "float32", [2, 3]);
const b = g.input("b", "float32", [4, 5]);
const cube = g.input("cube", "float32", [7, 2, 3]);
const whole = g.input("whole", "int32", [2]);
const flag = g.input("flag", "bool", [2, 3]);
const image = g.input("image", "float32", [1, 2, 5, 5]);
const kernel = g.input("kernel", "float32", [3, 4, 2, 2]);

/** What is done, the code, and what the text must show. */
const mistakes: [string, () => unknown, string, string[]][] = [
  ["inner axes differ", () => g.matmul(a, b), "shape/inner", ["[2, 3]", "[4, 5]", "3 and 4"]],
  [
    "inner axes differ after transposition",
    () => g.matmul(cube, b, { transA: true }),
    "shape/inner",
    ["transA", "[7, 2, 3]", "[4, 5]"],
  ],
  [
    "batches do not broadcast",
    () => g.matmul(cube, g.input("other", "float32", [6, 3, 2])),
    "shape/broadcast",
    ["[7]", "[6]"],
  ],
  ["sums do not broadcast", () => g.add(a, b), "shape/broadcast", ["[2, 3]", "[4, 5]"]],
  ["choices do not broadcast", () => g.where(flag, a, b), "shape/broadcast", ["[4, 5]"]],
  ["expansion does not fit", () => g.expand(a, [2, 4]), "shape/broadcast", ["[2, 3]", "[2, 4]"]],
  ["sizes differ in reshape", () => g.reshape(a, [5]), "shape/reshape", ["[2, 3]", "[5]"]],
  ["an axis does not exist", () => g.sum(a, { axes: 2 }), "shape/axis", ["[2, 3]", "2"]],
  ["an axis is named twice", () => g.sum(a, { axes: [0, -2] }), "shape/axis", ["[0, -2]"]],
  ["a squeezed axis is not 1", () => g.squeeze(a, 0), "shape/squeeze", ["[2, 3]"]],
  ["perm is no permutation", () => g.transpose(a, [0, 0]), "shape/perm", ["[0, 0]", "[2, 3]"]],
  ["a slice leaves its axis", () => g.slice(a, { axis: 1, end: 4 }), "shape/slice", ["[2, 3]"]],
  ["a step is zero", () => g.slice(a, { axis: 1, step: 0 }), "shape/slice", ["0"]],
  ["parts differ", () => g.concat([a, b]), "shape/concat", ["[2, 3]", "[4, 5]"]],
  ["there are no parts", () => g.concat([]), "shape/concat", []],
  ["pads are missing", () => g.pad(a, [[0, 1]]), "shape/pad", ["[2, 3]", "[[0,1]]"]],
  ["k is too large", () => g.topK(a, 4), "shape/topk", ["k 4", "[2, 3]"]],
  [
    "targets do not follow rows",
    () => g.crossEntropy(cube, whole),
    "shape/targets",
    ["[7, 2, 3]", "[2]"],
  ],
  [
    "a scale is too short",
    () => g.layerNorm(a, { weight: g.input("w", "float32", [2]) }),
    "shape/norm",
    ["[2, 3]", "[2]"],
  ],
  [
    "updates do not follow indices",
    () => g.scatterAdd(whole, g.input("u", "float32", [3, 3]), { size: 9 }),
    "shape/scatter",
    ["[2]", "[3, 3]"],
  ],
  [
    "indices do not follow axes",
    () => g.takeAlong(a, g.input("i", "int32", [3, 1]), { axis: 1 }),
    "shape/along",
    ["[2, 3]", "[3, 1]"],
  ],
  [
    "channels differ",
    () => g.conv2d(image, kernel),
    "shape/conv",
    ["[1, 2, 5, 5]", "[3, 4, 2, 2]"],
  ],
  ["a window is too large", () => g.maxPool(image, 6), "shape/window", ["[1, 2, 5, 5]", "6"]],
  ["padding fills a window", () => g.avgPool(image, 2, { padding: 2 }), "shape/window", ["2,2"]],
  ["dtypes differ", () => g.mul(a, whole), "dtype/mismatch", ["float32 [2, 3]", "int32 [2]"]],
  ["a condition is added", () => g.add(flag, flag), "dtype/number", ["bool [2, 3]"]],
  ["a number is a condition", () => g.where(a, 1, 0), "dtype/bool", ["float32 [2, 3]"]],
  ["whole numbers are divided", () => g.div(whole, 2), "dtype/float", ["int32 [2]"]],
  ["whole numbers have a logarithm", () => g.log(whole), "dtype/float", ["int32 [2]"]],
  ["indices are floats", () => g.gather(a, b), "dtype/index", ["float32 [4, 5]"]],
  ["whole numbers are normalised", () => g.softmax(whole), "dtype/float", ["int32 [2]"]],
  ["a shape is not static", () => g.input("x", "float32", [-1]), "shape/static", ["[-1]"]],
  ["an input has no name", () => g.input("", "float32", [1]), "value/name", []],
  [
    "a weight is longer than its file",
    () => g.weight("w", "float32", [2], { path: "/m.safetensors", offset: 0, length: 4 }),
    "weight/length",
    ["4 bytes", "8 bytes", "/m.safetensors"],
  ],
  ["a loss has axes", () => g.grad(a, [a]), "grad/loss", ["[2, 3]"]],
  ["a loss is whole", () => g.grad(whole, [a]), "grad/loss", ["int32"]],
  [
    "a cotangent does not fit",
    () => g.grad(a, [a], { cotangent: b }),
    "grad/cotangent",
    ["[4, 5]"],
  ],
  ["a program has no output", () => g.program({ inputs: [a], outputs: {} }), "program/outputs", []],
  [
    "an input is missing",
    () => g.program({ inputs: [], outputs: { y: a } }),
    "program/input",
    ["a"],
  ],
  [
    "an input is a result",
    () => g.program({ inputs: [g.neg(a)], outputs: { y: a } }),
    "program/input",
    ["neg"],
  ],
  ["names repeat", () => g.program({ inputs: [a], outputs: { a } }), "program/names", ["a"]],
  ["nothing is fed", () => g.interpret({ y: a }, {}), "interpret/feeds", ["a"]],
  [
    "another shape is fed",
    () => g.interpret({ y: a }, { a: f32([3], [1, 2, 3]) }),
    "interpret/feeds",
    ["[3]", "[2, 3]"],
  ],
  [
    "an index is outside",
    () =>
      g.interpret(
        { y: g.gather(a, whole) },
        { a: f32([2, 3], new Float32Array(6)), whole: tensor("int32", [2], Int32Array.of(0, 2)) },
      ),
    "index/range",
    ["2"],
  ],
];

describe("a mistake is refused:", () => {
  test.each(mistakes)("%s", (_, act, code, shown) => {
    let caught: unknown;
    try {
      act();
    } catch (error) {
      caught = error;
    }
    expect(isError(caught, code), describeError(caught)).toBe(true);
    for (const text of shown) expect(describeError(caught)).toContain(text);
  });
});
