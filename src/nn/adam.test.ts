import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { distance, type Packed, unpack, unpackAll } from "../../test/golden/tensors.ts";
import { input, interpret } from "../graph/index.ts";
import { type Tensor, zeros } from "../tensor/tensor.ts";
import { adamRates, adamUpdate } from "./adam.ts";

interface Golden {
  settings: {
    lr: number;
    beta1: number;
    beta2: number;
    eps: number;
    weightDecay: number;
    clipNorm: number;
  };
  start: Record<string, Packed>;
  steps: { grads: Record<string, Packed>; norm: number; params: Record<string, Packed> }[];
}

test("three clipped steps with weight decay are those of torch.optim.AdamW", () => {
  const golden: Golden = JSON.parse(readFileSync("test/golden/one-layer.json", "utf8")).adamw;
  const { lr, ...settings } = golden.settings;
  const start = unpackAll(golden.start);
  const inputs = (kind: string) =>
    Object.fromEntries(
      Object.entries(start).map(([name, { shape }]) => [
        name,
        input(`${kind} ${name}`, "float32", shape),
      ]),
    );
  const [p, g, m, v] = [inputs("p"), inputs("g"), inputs("m"), inputs("v")];
  // The loss is a sum over 4, as where a batch's gradients are divided by their number.
  const next = adamUpdate(
    p,
    g,
    { m, v, rates: input("rates", "float32", [3]) },
    {
      ...settings,
      gradScale: 1 / 4,
    },
  );
  const outputs = {
    ...prefixed("p", next.params),
    ...prefixed("m", next.m),
    ...prefixed("v", next.v),
    norm: next.gradNorm,
  };
  let state: Record<string, Tensor> = prefixed("p", start);
  for (const [name, { shape }] of Object.entries(start))
    state = {
      ...state,
      [`m ${name}`]: zeros("float32", shape),
      [`v ${name}`]: zeros("float32", shape),
    };
  golden.steps.forEach((step, i) => {
    const grads = unpackAll(step.grads);
    for (const { data } of Object.values(grads))
      for (let j = 0; j < data.length; j++) data[j]! *= 4;
    const rates = adamRates(i + 1, lr, settings);
    const { norm, ...rest } = interpret(outputs, { ...state, ...prefixed("g", grads), rates });
    state = rest;
    expect(Number(norm!.data[0])).toBeCloseTo(step.norm, 5);
    for (const [name, wanted] of Object.entries(step.params))
      expect(distance(rest[`p ${name}`]!, unpack(wanted))).toBeLessThan(1e-6);
  });
});

function prefixed<T>(kind: string, all: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([name, x]) => [`${kind} ${name}`, x]));
}
