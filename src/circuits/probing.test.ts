import { expect, test } from "vitest";
import { isError } from "../base/errors.ts";
import { type Random, random } from "../base/random.ts";
import { type ProbeData, probeWithControl } from "./probing.ts";

const [d, types, perDoc, docs] = [24, 40, 30, 20];

/** Activations: a code for the token's type, and, if `informed`, a direction for the hidden label. */
function world(rng: Random, { informed }: { informed: boolean }): ProbeData {
  const n = perDoc * docs;
  const code = (type: number) => {
    const own = random(1).stream(`code ${type}`);
    return Float32Array.from({ length: d }, () => own.normal());
  };
  const acts = new Float32Array(n * d);
  const labels = new Int32Array(n);
  const tokens = new Int32Array(n);
  for (let t = 0; t < n; t++) {
    tokens[t] = rng.int(types);
    labels[t] = rng.int(2);
    acts.set(code(tokens[t]!), t * d);
    if (informed) acts[t * d]! += labels[t] === 1 ? 6 : -6;
    for (let i = 0; i < d; i++) acts[t * d + i]! += 0.1 * rng.normal();
  }
  return {
    acts,
    labels,
    tokens,
    doc: Int32Array.from({ length: n }, (_, t) => Math.floor(t / perDoc)),
  };
}

test("a label that stands in the activations is found, beyond control task and token table", () => {
  const [select, judged] = [random(2), random(3)].map((rng) => world(rng, { informed: true }));
  const found = probeWithControl(select!, judged!, { n_labels: 2 });
  expect(found.accuracy.value).toBeGreaterThan(0.95);
  // Types are coded in fewer dimensions than there are types, so random labels are learned in part only.
  expect(found.control.value).toBeLessThan(0.92);
  expect(found.selectivity.value).toBeCloseTo(found.accuracy.value - found.control.value, 10);
  expect(found.selectivity.low).toBeGreaterThan(0);
  expect(found.tokenTable.value).toBeLessThan(0.65);
  expect(found).toMatchObject({ verdict: "holds", n_eval: perDoc * docs, n_documents: docs });
});

test("a label that is not there has no selectivity, though random labels are learned", () => {
  const [select, judged] = [random(2), random(3)].map((rng) => world(rng, { informed: false }));
  const found = probeWithControl(select!, judged!, { n_labels: 2 });
  expect(Math.abs(found.accuracy.value - 0.5)).toBeLessThan(0.1);
  expect(found.control.value).toBeGreaterThan(0.65);
  expect(found.selectivity.value).toBeLessThan(0);
  expect(found.verdict).toBe("fails");
});

test("a label that the token alone gives away is not credited to the activations", () => {
  const typed = (rng: Random): ProbeData => {
    const made = world(rng, { informed: false });
    return { ...made, labels: Int32Array.from(made.tokens, (token) => token % 2) };
  };
  const found = probeWithControl(typed(random(2)), typed(random(3)), { n_labels: 2 });
  expect(found.tokenTable.value).toBe(1);
  expect(found.verdict).toBe("fails");
});

test("labels outside the range and lists of other lengths are refused", () => {
  const data = world(random(1), { informed: true });
  const code = (change: Partial<ProbeData>) => {
    try {
      probeWithControl({ ...data, ...change }, data, { n_labels: 2 });
      return "";
    } catch (error) {
      return isError(error) ? error.code : "another";
    }
  };
  expect(code({ labels: data.labels && new Int32Array(data.labels.length).fill(2) })).toBe(
    "circuits/labels",
  );
  expect(code({ tokens: [1, 2] })).toBe("shape/size");
});
