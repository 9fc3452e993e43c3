// Does a second thread change anything that is stored, and does its failure, or the first's, end the work?
import { setTimeout } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { type Product, plainProduct } from "../evidence/bootstrap.ts";
import { type Ground, layGround } from "../evidence/judge.ts";
import { honestUnits, makeColumns, makeLabels } from "../evidence/world.fixture.ts";
import { memoryStore } from "../storage/memory.ts";
import { type DescribeInput, describeColumns } from "./describe.ts";

/** Three blocks of features: two for the lanes of one thread, and one for the other's. */
const d_sae = 150;
const d_in = 5;
const labels = makeLabels(1, { documents: 30, length: 50 });
const normal = (n: number): Float32Array => {
  const rng = random(3);
  return Float32Array.from({ length: n }, () => rng.normal());
};
const W_U = normal(d_in * 30);
let ground: Ground;

beforeAll(async () => {
  ground = await layGround(labels, labels);
});

function inputs(threads: 1 | 2, product: Product): DescribeInput {
  const rule = honestUnits(labels);
  return {
    store: memoryStore(),
    prefix: "x",
    summary: {
      id: "x",
      model: "m",
      site: "blocks.0.mlp.hook_post",
      architecture: "topk",
      d_in,
      k: 3,
      seed: 0,
      tokens: 10,
    },
    revision: 1,
    W_dec: normal(d_sae * d_in),
    tokenizer: { pieces: (ids) => Array.from(ids, (id) => ({ text: ` w${id}` })) },
    ground,
    record: async () => ({
      columns: makeColumns(labels, d_sae, (t, u, rng) => rule(t, u % 6, rng), 3),
    }),
    path: { W_out: null, W_U, d_model: d_in, d_vocab: 30, exact: true },
    product,
    threads,
  };
}

test("two threads store the same bytes as one", { timeout: 60_000 }, async () => {
  const one = inputs(1, plainProduct);
  await describeColumns(one);
  // A thread asks for two products at a time; a third under way is the other thread's. Both stages wait for it.
  const asked = new Map([ground.tokenTimes, W_U].map((b) => [b, { now: 0, most: 0 }]));
  const two = inputs(2, async (a, b, size) => {
    const count = asked.get(b);
    if (count !== undefined) {
      count.most = Math.max(count.most, ++count.now);
      while (count.most < 3) await setTimeout(5);
      count.now--;
    }
    return plainProduct(a, b, size);
  });
  await describeColumns(two);
  for (const name of ["pages.bin", "pages.idx", "rows.json.gz", "activations.parquet"]) {
    const [a, b] = await Promise.all([one, two].map(({ store }) => store.get(`x/r1/${name}`)));
    expect(Buffer.compare(a!, b!)).toBe(0);
  }
});

test("a failure on one thread ends the work on both", { timeout: 60_000 }, async () => {
  const failing = inputs(2, async (a, b, size) => {
    if (b === W_U) throw new Error("out of order");
    return plainProduct(a, b, size);
  });
  await expect(describeColumns(failing)).rejects.toThrow("out of order");
});
