// A whole training step of a small transformer: right, and without the copies that cost time.
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { readModel } from "../formats/onnx/model.ts";
import { f32, sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import type { Program, Value } from "./index.ts";
import * as g from "./index.ts";

const [batch, pos, d, heads, dHead, dMlp, vocab] = [2, 6, 8, 2, 4, 12, 11];

/** Written as plainly as papers write it: the graph layer has to find the cheap form. */
function step(dtype: "float32" | "float64"): { inputs: Value[]; outputs: Record<string, Value> } {
  const weights: Value[] = [];
  const w = (name: string, shape: number[]) => {
    weights.push(g.input(name, dtype, shape));
    return weights.at(-1)!;
  };
  const tokens = g.input("tokens", "int32", [batch, pos]);
  const targets = g.input("targets", "int32", [batch, pos]);
  const counted = g.input("counted", dtype, [batch, pos]);
  const future = tensor(
    "bool",
    [pos, pos],
    Uint8Array.from({ length: pos * pos }, (_, i) => Number(i % pos > Math.floor(i / pos))),
  );

  let x = g.add(g.gather(w("W_E", [vocab, d]), tokens), w("W_pos", [pos, d]));
  const n = g.layerNorm(x, { weight: w("ln.w", [d]), bias: w("ln.b", [d]) });
  const qkv = g.add(g.matmul(n, w("W_QKV", [d, 3 * d])), w("b_QKV", [3 * d]));
  const [q, k, v] = [0, 1, 2].map((i) =>
    g.reshape(g.slice(qkv, { axis: 2, start: i * d, end: (i + 1) * d }), [
      batch,
      pos,
      heads,
      dHead,
    ]),
  ) as [Value, Value, Value];
  const scores = g.matmul(g.transpose(q, [0, 2, 1, 3]), g.transpose(k, [0, 2, 3, 1]));
  const seen = g.where(g.constant(future), -1e9, g.div(scores, Math.sqrt(dHead)));
  const z = g.matmul(g.softmax(seen), g.transpose(v, [0, 2, 1, 3]));
  const mixed = g.reshape(g.transpose(z, [0, 2, 1, 3]), [batch, pos, d]);
  x = g.add(x, g.matmul(mixed, w("W_O", [d, d])));
  const neurons = g.relu(g.add(g.matmul(x, w("W_in", [d, dMlp])), w("b_in", [dMlp])));
  x = g.add(x, g.matmul(neurons, w("W_out", [dMlp, d])));
  const logits = g.add(g.matmul(x, w("W_U", [d, vocab])), w("b_U", [vocab]));
  const losses = g.crossEntropy(logits, targets, { weights: counted });
  const loss = g.div(g.sum(losses), g.sum(counted));
  const grads = g.grad(loss, weights);
  const named = weights.map((weight, i) => [`d ${weight.name}`, grads[i]!]);
  return {
    inputs: [tokens, targets, counted, ...weights],
    outputs: { loss, ...Object.fromEntries(named) },
  };
}

function feedsFor(inputs: readonly Value[]): Record<string, Tensor> {
  const r = random(7);
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }) => {
      const n = sizeOf(shape);
      if (dtype === "int32")
        return [
          name,
          tensor(
            "int32",
            shape,
            Int32Array.from({ length: n }, () => r.int(vocab)),
          ),
        ];
      const data = Float32Array.from({ length: n }, () => r.normal() * 0.5);
      if (name === "counted") for (let i = 0; i < n; i++) data[i] = r.int(3);
      return [
        name,
        dtype === "float64" ? tensor(dtype, shape, Float64Array.from(data)) : f32(shape, data),
      ];
    }),
  );
}

async function runOrt(made: Program, feeds: Record<string, Tensor>) {
  const session = await InferenceSession.create(made.bytes, { logSeverityLevel: 3 });
  const fed = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
    name,
    new OrtTensor(dtype as "float32", data as Float32Array, shape),
  ]);
  const out = await session.run(Object.fromEntries(fed));
  await session.release();
  return out;
}

test("every gradient is the limit of central differences", () => {
  const { inputs, outputs } = step("float64");
  const feeds = feedsFor(inputs);
  const found = g.interpret(outputs, feeds);
  const r = random(8);
  for (const { name, shape } of inputs.slice(3))
    for (let probe = 0; probe < 4; probe++) {
      const { data } = feeds[name!] as Tensor<"float64">;
      const i = r.int(data.length);
      const at = (by: number) => {
        const moved = data.slice();
        moved[i]! += by;
        const fed = { ...feeds, [name!]: tensor("float64", shape, moved) };
        return Number(g.interpret({ loss: outputs.loss! }, fed).loss!.data[0]);
      };
      const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
      expect(Number(found[`d ${name}`]!.data[i]), `${name}[${i}]`).toBeCloseTo(difference, 7);
    }
});

test("ONNX Runtime agrees with the reference on loss and gradients", async () => {
  const made = g.program(step("float32"));
  const feeds = feedsFor(made.inputs as unknown as Value[]);
  const [found, wanted] = [await runOrt(made, feeds), g.interpret(made, feeds)];
  for (const [name, { data }] of Object.entries(wanted)) {
    const size = (data as Float64Array).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const ours = found[name]!.data as Float32Array;
    for (let i = 0; i < data.length; i++)
      expect(Math.abs(ours[i]! - Number(data[i])), `${name}[${i}]`).toBeLessThan(1e-4 * size);
  }
});

test("no racing scatter, no padding, no pass over the logits but softmax", () => {
  const { node } = readModel(g.program(step("float32")).bytes).graph!;
  const ops = node.map(({ opType }) => opType);
  expect(ops).not.toContain("ScatterND");
  expect(ops).not.toContain("Pad");
  expect(ops.filter((op) => op === "Softmax")).toHaveLength(2);
  // Nothing reads the scattered p − 1 but products: its row weights moved to smaller sides.
  const scattered = node.find(
    ({ opType, input }) => opType === "ScatterElements" && input[0]!.startsWith("Softmax"),
  )!;
  const readers = (name: string): string[] =>
    node
      .filter(({ input }) => input.includes(name))
      .flatMap(({ opType, output }) => (opType === "Reshape" ? readers(output[0]!) : [opType]));
  const passes = readers(scattered.output[0]!);
  expect(passes.length).toBeGreaterThan(0);
  expect(passes.every((op) => op.endsWith("MatMul"))).toBe(true);
});

test("queries, keys and values move only between heads: rows of d_head stay whole", () => {
  const { node } = readModel(g.program(step("float32")).bytes).graph!;
  const perms = node
    .filter(({ opType }) => opType === "Transpose")
    .map(({ attribute }) => attribute[0]!.ints.map(Number))
    .filter((perm) => perm.length === 4);
  expect(perms.length).toBeGreaterThan(0);
  for (const perm of perms) expect(perm).toEqual([0, 2, 1, 3]);
});

test("a bias on very wide results is part of the product, with the same numbers", async () => {
  const [rows, inner, columns] = [4096, 2, 4096];
  const x = g.input("x", "float32", [rows, inner]);
  const w = g.input("w", "float32", [inner, columns]);
  const b = g.input("b", "float32", [columns]);
  const first = g.slice(g.add(g.matmul(x, w), b), { axis: 0, end: 2 });
  const made = g.program({ inputs: [x, w, b], outputs: { first } });
  expect(readModel(made.bytes).graph!.node.map(({ opType }) => opType)).not.toContain("Add");
  const feeds = feedsFor(made.inputs as unknown as Value[]);
  const { first: found } = await runOrt(made, feeds);
  const top = { ...feeds, x: f32([2, inner], (feeds.x!.data as Float32Array).slice(0, 2 * inner)) };
  const two = g.input("x", "float32", [2, inner]);
  const wanted = g.interpret({ y: g.add(g.matmul(two, w), b) }, top).y!.data as Float64Array;
  const data = found!.data as Float32Array;
  const gaps = Array.from(wanted, (value, i) => Math.abs(value - data[i]!));
  expect(Math.max(...gaps)).toBeLessThan(1e-6);
});
