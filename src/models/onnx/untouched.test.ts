// What we lack still runs: unknown nodes, foreign types, branches and loops, as they were read.
import { describe, expect, test } from "vitest";
import { modelOf, port } from "../../../test/onnx-models.ts";
import { initializer, type NodeSpec } from "../../formats/onnx/model.ts";
import { mul, sum } from "../../graph/index.ts";
import type { Program } from "../../graph/program.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { f32, type Tensor, tensor } from "../../tensor/tensor.ts";
import { captureOnnx, changeOnnx, gradOnnx, writeOnnx } from "./edit.ts";
import { readOnnx } from "./read.ts";

const backend = ortBackend({ threads: 1 });

async function run(program: Program, feeds: Record<string, Tensor>) {
  return (await backend.compile(program)).run(feeds);
}

const x = f32([2, 2], [1, 2, 3, 5]);

describe("an operator that we lack", () => {
  // Det is no entry of the table.
  const bytes = modelOf(
    [
      { op: "Add", inputs: ["x", "x"], outputs: ["twice"] },
      { op: "Det", inputs: ["twice"], outputs: ["det"] },
      { op: "Mul", inputs: ["det", "det"], outputs: ["out"] },
    ],
    [port("x", [2, 2])],
    [port("out", [])],
  );

  test("runs where it stands, can be read and replaced", async () => {
    const model = await readOnnx(bytes);
    expect(model.untouched).toEqual([
      { node: "det", op: "Det", reason: "an operator that we lack" },
    ]);
    // det [[2, 4], [6, 10]] = −4
    const found = await run(captureOnnx(model, ["det"], { outputs: true }), { x });
    expect(found.det!.data[0]).toBeCloseTo(-4, 5);
    expect(found.out!.data[0]).toBeCloseTo(16, 4);
    const changed = changeOnnx(model, { det: (v) => mul(v, 3) });
    expect((await run(writeOnnx(changed), { x })).out!.data[0]).toBeCloseTo(144, 3);
  });

  test("gradients beside it are taken, through it refused by its name", async () => {
    const model = await readOnnx(bytes);
    const loss = sum(model.outputs.out!);
    const toDet = await run(
      captureOnnx({ ...model, values: new Map([["g", gradOnnx(model, loss, ["det"]).det!]]) }, [
        "g",
      ]),
      { x },
    );
    expect(toDet.g!.data[0]).toBeCloseTo(-8, 4);
    expect(() => gradOnnx(model, loss, ["x"])).toThrow(
      expect.objectContaining({ code: "grad/opaque", message: "there is no gradient through Det" }),
    );
  });
});

test("bytes with a sign stay between the nodes that speak of them", async () => {
  // x → int8 → Transpose → float: 8-bit numbers never become values of ours.
  const scale = initializer("scale", f32([], [0.5]));
  const zero = { ...initializer("zero", tensor("uint8", [], Uint8Array.of(0))), dataType: 3 };
  const nodes: NodeSpec[] = [
    { op: "QuantizeLinear", inputs: ["x", "scale", "zero"], outputs: ["q"] },
    { op: "Transpose", inputs: ["q"], outputs: ["t"], attributes: { perm: [1, 0] } },
    { op: "DequantizeLinear", inputs: ["t", "scale", "zero"], outputs: ["out"] },
  ];
  const bytes = modelOf(nodes, [port("x", [2, 2])], [port("out", [2, 2])], {
    initializers: [scale, zero],
  });
  await expect(readOnnx(bytes)).rejects.toMatchObject({
    code: "onnx/unclaimed",
    message: "QuantizeLinear of int8 is not claimed",
  });
  const model = await readOnnx(bytes, { unclaimed: "opaque" });
  expect(model.untouched.map(({ op }) => op)).toEqual([
    "QuantizeLinear",
    "Transpose",
    "DequantizeLinear",
  ]);
  expect([
    ...(await run(writeOnnx(model), { x: f32([2, 2], [0.6, -2, 3, -70]) })).out!.data,
  ]).toEqual([0.5, 3, -2, -64]);
});

describe("a branch", () => {
  const branch = (name: string, op: string) => ({
    graph: {
      nodes: [{ op, inputs: ["x", "x"], outputs: [name] }],
      outputs: [port(name, [2, 2])],
    },
  });
  const nodes: NodeSpec[] = [
    {
      op: "If",
      inputs: ["c"],
      outputs: ["y"],
      attributes: { then_branch: branch("a", "Add"), else_branch: branch("b", "Mul") },
    },
    { op: "Neg", inputs: ["y"], outputs: ["out"] },
  ];

  test("whose condition is known is read in place", async () => {
    const held = initializer("c", tensor("bool", [], Uint8Array.of(0)));
    const bytes = modelOf(nodes, [port("x", [2, 2])], [port("out", [2, 2])], {
      initializers: [held],
    });
    const model = await readOnnx(bytes);
    expect(model.untouched).toEqual([]);
    expect([...(await run(writeOnnx(model), { x })).out!.data]).toEqual([-1, -4, -9, -25]);
  });

  test("whose condition is fed is chosen when it runs, and sees the values around it", async () => {
    const inputs = [port("x", [2, 2]), port("c", [], "bool")];
    const model = await readOnnx(modelOf(nodes, inputs, [port("out", [2, 2])]));
    expect(model.untouched.map(({ op }) => op)).toEqual(["If"]);
    const given = (held: number) => ({ x, c: tensor("bool", [], Uint8Array.of(held)) });
    const program = writeOnnx(model);
    expect([...(await run(program, given(1))).out!.data]).toEqual([-2, -4, -6, -10]);
    expect([...(await run(program, given(0))).out!.data]).toEqual([-1, -4, -9, -25]);
    const doubled = writeOnnx(changeOnnx(model, { x: (v) => mul(v, 2) }));
    expect([...(await run(doubled, given(0))).out!.data]).toEqual([-4, -16, -36, -100]);
  });
});

test("a shape that depends on the numbers is refused by the operator's name", async () => {
  const bytes = modelOf(
    [{ op: "NonZero", inputs: ["x"], outputs: ["out"] }],
    [port("x", [2, 2])],
    [{ name: "out", dtype: "int64", shape: [2, 4] }],
  );
  await expect(readOnnx(bytes)).rejects.toMatchObject({ code: "onnx/dynamic" });
});

test("an unclaimed pair is refused by name, before anything runs", async () => {
  const bytes = modelOf(
    [{ op: "Sin", inputs: ["x"], outputs: ["out"] }],
    [port("x", [2], "float64")],
    [port("out", [2], "float64")],
  );
  await expect(readOnnx(bytes)).rejects.toMatchObject({
    code: "onnx/unclaimed",
    message: "Sin of float64 is not claimed",
    where: "out",
  });
});

test("an operator that nobody knows is refused by its name", async () => {
  const bytes = modelOf(
    [{ op: "Frobnicate", inputs: ["x"], outputs: ["out"] }],
    [port("x", [2])],
    [port("out", [2])],
  );
  await expect(readOnnx(bytes)).rejects.toMatchObject({
    code: "onnx/operator",
    message: "neither we nor ONNX Runtime can run Frobnicate",
  });
  const custom = modelOf(
    [{ op: "Frobnicate", inputs: ["x"], outputs: ["y"], domain: "com.example" }],
    [port("x", [2])],
    [port("y", [2])],
    { opsets: { "com.example": 1 } },
  );
  await expect(readOnnx(custom, { backend })).rejects.toMatchObject({ code: "onnx/operator" });
});
