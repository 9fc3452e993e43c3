// Additions by index are exact, whatever the threads do and however often an index repeats.
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { random } from "../../base/random.ts";
import { readModel } from "../../formats/onnx/model.ts";
import { f32, type Tensor, tensor } from "../../tensor/tensor.ts";
import { grad } from "../grad.ts";
import { interpret } from "../interpret.ts";
import { type Program, program } from "../program.ts";
import { constant, input } from "../value.ts";
import { mul } from "./arithmetic.ts";
import { sum } from "./broadcast.ts";
import { gather, scatterAdd, scatterAlong, takeAlong } from "./gather.ts";

const r = random(1665);
const rows = 4096;
const width = 48;
const size = 97; // few places: each index repeats about 42 times

// A fifth of all indices are the same one: the worst case for threads that write at once.
const places = Int32Array.from({ length: rows }, () => (r.int(5) === 0 ? 3 : r.int(size)));
// Whole numbers: float32 sums of them are exact in any order.
const updates = Float32Array.from({ length: rows * width }, () => r.int(64) - 32);

const indices = input("indices", "int32", [rows]);
const x = input("x", "float32", [rows, width]);
const spread = input("spread", "int32", [rows, width]);
const feeds: Record<string, Tensor> = {
  indices: tensor("int32", [rows], places),
  x: tensor("float32", [rows, width], updates),
  spread: tensor(
    "int32",
    [rows, width],
    Int32Array.from(updates, () => r.int(size)),
  ),
};

const table = input("table", "float32", [size, width]);
const weighted = sum(mul(gather(table, indices), x));

const programs: Record<string, Program> = {
  "scatterAdd along the first axis": program({
    inputs: [indices, x],
    outputs: { out: scatterAdd(indices, x, { size }) },
  }),
  "scatterAdd of few rows into a large table": program({
    inputs: [indices, x],
    outputs: { out: scatterAdd(indices, x, { size: 9 * rows }) },
  }),
  "scatterAdd along the last axis": program({
    inputs: [indices, x],
    outputs: {
      out: scatterAdd(indices, constant(f32([2, rows], updates.subarray(0, 2 * rows))), {
        size,
        axis: 1,
      }),
    },
  }),
  "scatterAlong the first axis": program({
    inputs: [spread, x],
    outputs: { out: scatterAlong(spread, x, { size, axis: 0 }) },
  }),
  "scatterAlong the last axis": program({
    inputs: [spread, x],
    outputs: { out: scatterAlong(spread, x, { size, axis: 1 }) },
  }),
  "the gradient of an embedding": program({
    inputs: [indices, x, table],
    outputs: { out: grad(weighted, [table])[0]! },
  }),
  "the gradient of takeAlong": program({
    inputs: [spread, x, table],
    outputs: {
      out: grad(sum(mul(takeAlong(table, spread, { axis: 0 }), x)), [table])[0]!,
    },
  }),
};
feeds.table = f32([size, width], new Float32Array(size * width));

describe.each(Object.entries(programs))("%s", (_, made) => {
  const fed = Object.fromEntries(made.inputs.map(({ name }) => [name, feeds[name]!]));
  const wanted = interpret(made, fed).out!;

  test.each([1, 2, 4])("is exact in 20 runs on %i threads", async (threads) => {
    const session = await InferenceSession.create(made.bytes, {
      intraOpNumThreads: threads,
      logSeverityLevel: 3,
    });
    const ortFeeds = Object.fromEntries(
      Object.entries(fed).map(([name, { dtype, data, shape }]) => [
        name,
        new OrtTensor(dtype as "float32", data as Float32Array, shape),
      ]),
    );
    for (let run = 0; run < 20; run++) {
      const { out } = await session.run(ortFeeds);
      const found = out!.data as Float32Array;
      expect(found.length).toBe(wanted.data.length);
      expect(found.findIndex((value, i) => value !== wanted.data[i])).toBe(-1);
    }
    await session.release();
  });

  test("never uses the operator that races", () => {
    const ops = readModel(made.bytes).graph!.node.map(({ opType }) => opType);
    expect(ops).not.toContain("ScatterND");
  });
});
