// Programs are small, equal when what they compute is equal, and read their weights from files.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { readModel } from "../formats/onnx/model.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import type { Program, Value } from "./index.ts";
import * as g from "./index.ts";

function opsOf(program: Program): string[] {
  return readModel(program.bytes).graph!.node.map(({ opType }) => opType);
}

function compile(inputs: Value[], y: Value): string[] {
  return opsOf(g.program({ inputs, outputs: { y } }));
}

const x = g.input("x", "float32", [8, 4]);
const w = g.input("w", "float32", [4, 6]);

async function run(
  { bytes, externalFolder }: Program,
  feeds: Record<string, OrtTensor>,
): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: externalFolder ?? "" } },
  });
  const out = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(out).map(([name, { data }]) => [name, Array.from(data as Float32Array, Number)]),
  );
}

test("what nothing uses is left out, and what is made twice is made once", () => {
  const product = () => g.exp(g.matmul(x, w));
  g.log(product());
  expect(compile([x, w], g.mul(product(), product()))).toEqual(["MatMul", "Exp", "Mul"]);
});

test("the same graph, built twice, has the same hash; another has another", () => {
  const build = (factor: number) =>
    g.program({ inputs: [x, w], outputs: { y: g.mul(g.matmul(x, w), factor) } });
  expect(build(2).hash).toBe(build(2).hash);
  expect(build(2).hash).not.toBe(build(3).hash);
});

test("a transposed operand costs no node, on either side and in the gradient", () => {
  const y = g.matmul(g.transpose(w, [1, 0]), g.transpose(x, [1, 0]));
  expect(compile([x, w], y)).toEqual(["FusedMatMul"]);
  const [dx] = g.grad(g.sum(g.square(y)), [x]);
  expect(compile([x, w], dx!).filter((op) => op === "Transpose")).toEqual([]);
});

test("the gradient of a weight shared by a batch is one flat product", () => {
  const batch = g.input("batch", "float32", [5, 8, 4]);
  const [dw] = g.grad(g.sum(g.square(g.matmul(batch, w))), [w]);
  const products = readModel(
    g.program({ inputs: [batch, w], outputs: { dw: dw! } }).bytes,
  ).graph!.node.filter(({ opType }) => opType.endsWith("MatMul"));
  expect(products).toHaveLength(2);
  expect(compile([batch, w], dw!)).not.toContain("ReduceSum");
});

test("a mean loss scales no matrix as large as the logits", () => {
  const targets = g.input("targets", "int32", [8]);
  const [dx] = g.grad(g.mean(g.crossEntropy(g.matmul(x, w), targets)), [x]);
  expect(compile([x, w, targets], dx!)).not.toContain("Mul");
});

test("slices that tile an axis give their gradient by concatenation", () => {
  const parts = [0, 2, 4].map((start) => g.slice(w, { axis: 1, start, end: start + 2 }));
  const y = g.sum(g.mul(g.mul(g.exp(parts[0]!), parts[1]!), parts[2]!));
  const ops = compile([w], g.grad(y, [w])[0]!);
  expect(ops).not.toContain("Pad");
  expect(ops.filter((op) => op === "Concat")).toHaveLength(1);
});

test("an output may be an input, a constant, or another output", async () => {
  const four = g.constant(f32([2], [4, 5]));
  const double = g.mul(x, 2);
  const made = g.program({
    inputs: [x],
    outputs: { same: x, four, double, again: double },
  });
  const data = Float32Array.from({ length: 32 }, (_, i) => i);
  const out = await run(made, { x: new OrtTensor("float32", data, [8, 4]) });
  expect(out.same).toEqual([...data]);
  expect(out.four).toEqual([4, 5]);
  expect(out.double).toEqual(out.again);
});

test("cross entropy is right where the probability underflows float32", async () => {
  const logits = g.input("logits", "float32", [3, 2]);
  const targets = g.input("targets", "int32", [3]);
  const losses = g.crossEntropy(logits, targets);
  const [gradient] = g.grad(g.sum(losses), [logits]);
  const made = g.program({ inputs: [logits, targets], outputs: { losses, gradient: gradient! } });
  const out = await run(made, {
    logits: new OrtTensor("float32", Float32Array.of(500, 0, 0, 0, -1e4, 90), [3, 2]),
    targets: new OrtTensor("int32", Int32Array.of(1, 0, 0), [3]),
  });
  expect(out.losses).toEqual([500, Math.fround(Math.log(2)), 10_090]);
  expect(out.gradient).toEqual([1, -1, -0.5, 0.5, -1, 1]);
});

test("weights are read in place from files in one folder and below it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "graph-weights-"));
  try {
    const bytes = new Uint8Array(3 + 16);
    bytes.set(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 3);
    const path = join(folder, "w.safetensors");
    writeFileSync(path, bytes); // the tensor starts at an odd place
    const v = g.weight("v", "float32", [2, 2], { path, offset: 3, length: 16 });
    const y = g.input("y", "float32", [1, 2]);
    const made = g.program({ inputs: [y], outputs: { out: g.matmul(y, v) } });
    expect(made.externalFolder).toBe(folder.replaceAll("\\", "/"));
    expect(made.bytes.length).toBeLessThan(600);
    const out = await run(made, { y: new OrtTensor("float32", Float32Array.of(1, 10), [1, 2]) });
    expect(out.out).toEqual([31, 42]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a weight is fed to the reference by its name", () => {
  const v = g.weight("v", "float32", [2], { path: "/m.safetensors", offset: 0, length: 8 });
  const out = g.interpret({ y: g.square(v) }, { v: f32([2], [3, 4]) });
  expect(out.y).toMatchObject({ dtype: "float64", data: Float64Array.of(9, 16) });
});

test("whole numbers keep their dtype in the reference", () => {
  const i = g.input("i", "int64", [2]);
  const out = g.interpret(
    { y: g.add(i, 1) },
    { i: tensor("int64", [2], BigInt64Array.of(1n, 2n)) },
  );
  expect(out.y).toMatchObject({ dtype: "int64", data: BigInt64Array.of(2n, 3n) });
});

test("what a value does not depend on has a gradient of zeros", () => {
  const [dw] = g.grad(g.sum(x), [w]);
  expect(dw!.shape).toEqual([4, 6]);
  const found = g.interpret({ dw: dw! }, {}).dw!;
  expect([...(found.data as Float64Array)]).toEqual(new Array(24).fill(0));
});

test("a cotangent gives the gradient of a weighted sum, and values on the way can be asked for", () => {
  const h = g.matmul(x, w);
  const cotangent = g.input("c", "float32", [8, 6]);
  const [dh] = g.grad(g.square(h), [h], { cotangent });
  const ops = compile([x, w, cotangent], dh!);
  expect(ops).toEqual(["FusedMatMul", "Mul"]);
});

test("a graph prints as one line a value", () => {
  const text = g.print({ y: g.matmul(x, g.relu(x), { transB: true }) });
  expect(text.split("\n")).toEqual([
    "x = input() : float32 [8, 4]",
    "%1 = relu(x) : float32 [8, 4]",
    "%2 = matmul(x, %1) {transB: true, alpha: 1} : float32 [8, 8]",
    "return y = %2",
  ]);
});
