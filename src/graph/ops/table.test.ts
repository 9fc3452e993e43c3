// Every op of the table, in one loop: gradients against central differences, ONNX Runtime against
// the float64 reference, with random shapes.
import fc from "fast-check";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { Fill, Sample } from "../../../test/op-draw.ts";
import { samples } from "../../../test/op-samples.ts";
import { random } from "../../base/random.ts";
import { type DType, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { grad } from "../grad.ts";
import { interpret } from "../interpret.ts";
import { allOps } from "../op.ts";
import { type Program, program } from "../program.ts";
import { constant, input, isFloat, reachable, type Value } from "../value.ts";
import { add, mul } from "./arithmetic.ts";
import { sum } from "./broadcast.ts";

/** Numbers for a leaf, exact in float32. */
function fill(how: Fill, n: number, seed: number): Float32Array | Int32Array | Uint8Array {
  const r = random(seed);
  if (how === "condition") return Uint8Array.from({ length: n }, () => r.int(2));
  if (typeof how === "object") return Int32Array.from({ length: n }, () => r.int(how.below));
  if (how === "apart") {
    const grid = Float32Array.from({ length: n }, (_, i) => (i - (n >> 1)) * 0.375 + 0.1875);
    return r.shuffle(grid);
  }
  if (how === "positive") return Float32Array.from({ length: n }, () => 0.5 + r.uniform());
  return Float32Array.from({ length: n }, () => r.normal());
}

function leafDtype(how: Fill, float: DType): DType {
  return how === "condition" ? "bool" : typeof how === "object" ? "int32" : float;
}

interface Made {
  inputs: Value[];
  feeds: Record<string, Tensor>;
  out: Value;
  /** Inputs that have a gradient, and the gradients of Σ out · weights. */
  wrt: Value[];
  grads: Value[];
  loss: Value;
}

function make({ leaves, build, seed }: Sample, float: DType): Made {
  const inputs = leaves.map(({ shape, fill: how }, i) =>
    input(`x${i}`, leafDtype(how, float), shape),
  );
  const feeds = Object.fromEntries(
    leaves.map(({ shape, fill: how }, i) => {
      const data = fill(how, sizeOf(shape), seed + i);
      const dtype = leafDtype(how, float);
      const kept = dtype === "float64" ? Float64Array.from(data) : data;
      return [`x${i}`, tensor(dtype, shape, kept)];
    }),
  );
  const out = build(inputs);
  const wrt = inputs.filter(({ dtype }) => isFloat(dtype));
  if (!isFloat(out.dtype) || wrt.length === 0)
    return { inputs, feeds, out, wrt: [], grads: [], loss: out };
  const loss = weigh(out, seed + 100);
  return { inputs, feeds, out, wrt, grads: grad(loss, wrt), loss };
}

/** Σ out · random: a number that depends on every element differently. */
function weigh(out: Value, seed: number): Value {
  const r = random(seed);
  const data = Float32Array.from({ length: sizeOf(out.shape) }, () => r.normal());
  const kept = out.dtype === "float64" ? Float64Array.from(data) : data;
  return sum(mul(out, constant(tensor(out.dtype, out.shape, kept))));
}

function largest(data: ArrayLike<number | bigint>): number {
  return Math.max(0, ...Array.from(data, (x) => Math.abs(Number(x))));
}

/** The largest gap between the gradients and central differences of the loss. */
function gapToDifferences({ feeds, loss, wrt, grads }: Made): number {
  const h = 1e-5;
  const found = interpret(Object.fromEntries(grads.map((g, i) => [String(i), g])), feeds);
  let gap = 0;
  wrt.forEach((value, w) => {
    const { data, shape } = feeds[value.name!] as Tensor<"float64">;
    const scale = Math.max(1, largest(found[w]!.data));
    for (let i = 0; i < data.length; i++) {
      const at = (step: number) => {
        const moved = data.slice();
        moved[i]! += step;
        const fed = { ...feeds, [value.name!]: tensor("float64", shape, moved) };
        return Number(interpret({ loss }, fed).loss!.data[0]);
      };
      const difference = (at(h) - at(-h)) / (2 * h);
      gap = Math.max(gap, Math.abs(Number(found[w]!.data[i]) - difference) / scale);
    }
  });
  return gap;
}

async function runOrt(
  made: Program,
  feeds: Record<string, Tensor>,
): Promise<Record<string, OrtTensor>> {
  const session = await InferenceSession.create(made.bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const fed = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
      name,
      new OrtTensor(dtype as "float32", data as Float32Array, shape),
    ]),
  );
  const out = await session.run(fed);
  await session.release();
  return out as Record<string, OrtTensor>;
}

describe.each(Object.entries(samples))("%s", (name, arbitrary) => {
  test("its gradient is the limit of central differences", () => {
    fc.assert(
      fc.property(arbitrary, (sample) => {
        expect(gapToDifferences(make(sample, "float64"))).toBeLessThan(1e-6);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  test("the gradient of its gradient is, too", () => {
    fc.assert(
      fc.property(arbitrary, (sample) => {
        const made = make(sample, "float64");
        if (made.grads.length === 0) return;
        const first = made.grads.map((g, i) => weigh(g, i + 7)).reduce((a, b) => add(a, b));
        const again = { ...made, loss: first, grads: grad(first, made.wrt) };
        expect(gapToDifferences(again)).toBeLessThan(1e-6);
      }),
      { numRuns: 5, seed: 2 },
    );
  });

  test("ONNX Runtime gives its values and gradients in float32", async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (sample) => {
        const { inputs, feeds, out, grads } = make(sample, "float32");
        const outputs = { out, ...Object.fromEntries(grads.map((g, i) => [`g${i}`, g])) };
        const found = await runOrt(program({ inputs, outputs }), feeds);
        const wanted = interpret(outputs, feeds);
        for (const key of Object.keys(outputs)) {
          const [ours, theirs] = [wanted[key]!, found[key]!];
          expect([...theirs.dims], `${name} ${key}`).toEqual([...ours.shape]);
          const limit = isFloat(ours.dtype) ? 1e-4 * Math.max(largest(ours.data), 1e-3) : 0;
          const data = theirs.data as Float32Array;
          for (let i = 0; i < data.length; i++)
            expect(
              Math.abs(Number(data[i]) - Number(ours.data[i])),
              `${name} ${key}[${i}]`,
            ).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 15, seed: 3 },
    );
  });
});

test("every op of the table is reached by a sample", () => {
  const reached = new Set<string>();
  for (const draw of Object.values(samples))
    for (const sample of fc.sample(draw, { numRuns: 10, seed: 4 })) {
      const { out, grads, wrt } = make(sample, "float32");
      for (const value of reachable([out, ...grads])) reached.add(value.op);
      for (const g of grads)
        for (const value of reachable(grad(weigh(g, 1), wrt))) reached.add(value.op);
    }
  expect([...allOps().keys()].filter((op) => !reached.has(op))).toEqual([]);
});
