import { describe, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { runWithCache } from "../hooks/index.ts";
import { initWeights, type ModelConfig, makeModel } from "../models/index.ts";
import { ortBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import type { Store } from "../storage/store.ts";
import { toFloat32 } from "../tensor/half.ts";
import { tensor } from "../tensor/tensor.ts";
import { sumMoments } from "./moments.ts";
import { recordActivations } from "./record.ts";
import { shuffledBatches } from "./shuffle.ts";
import { activationStream } from "./stream.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 12,
  d_vocab: 20,
  n_ctx: 6,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};
const model = makeModel(config, initWeights(config, random(5)));
const backend = ortBackend({ threads: 1 });
const site = "blocks.0.mlp.hook_post";
const rowBytes = 4 * 6 * 12;
// The largest value of a row is q, k and v together; it may take an eighth of the limit.
const workBytes = 16 * 4 * 6 * 24;

function rowsOf(rows: number) {
  const rng = random(6);
  return { n_ctx: 6, rows, tokens: Int32Array.from({ length: rows * 6 }, () => rng.int(20)) };
}
const data = rowsOf(13);

async function allActs(): Promise<Float32Array> {
  const tokens = tensor("int32", [data.rows, 6], data.tokens);
  return (await runWithCache(model, backend, tokens, { sites: [site] })).cache[site]!.data;
}

describe("a stream", () => {
  test("gives every token's values once and in order, whatever the limit", async () => {
    const wanted = await allActs();
    for (const [limit, pieces] of [
      [2 ** 26, 1],
      [6 * workBytes, 3],
      [1, 13],
    ] as const) {
      const got = new Float32Array(wanted.length);
      let count = 0;
      for await (const { acts, rows } of activationStream(model, backend, data, {
        site,
        outputLimit: limit,
      })) {
        expect(acts.length).toBe((rows[1] - rows[0]) * 6 * 12);
        got.set(acts, rows[0] * 6 * 12);
        count += 1;
      }
      expect(count).toBe(pieces);
      got.forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[i]!, 5);
      });
    }
  });

  test("stops between two pieces when asked to", async () => {
    const stop = new AbortController();
    const read = async () => {
      for await (const _ of activationStream(
        model,
        backend,
        data,
        { site, batchRows: 4 },
        { signal: stop.signal },
      ))
        stop.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: "run/interrupted" });
  });
});

describe("shuffled batches", () => {
  const key = (vector: Float32Array) => Array.from(vector, (x) => x.toFixed(4)).join();
  const collect = async (seed: number, epochs = 1) => {
    const out: string[] = [];
    const options = { site, batch: 5, bufferTokens: 20, rng: random(seed), epochs };
    for await (const batch of shuffledBatches(model, backend, data, options)) {
      expect(batch.length).toBe(5 * 12);
      for (let i = 0; i < 5; i++) out.push(key(batch.subarray(i * 12, (i + 1) * 12)));
    }
    return out;
  };

  test("hand out each vector once an epoch, but for what fills no batch", async () => {
    const wanted = await allActs();
    const left = new Map<string, number>();
    for (let i = 0; i < 78; i++) {
      const name = key(wanted.subarray(i * 12, (i + 1) * 12));
      left.set(name, (left.get(name) ?? 0) + 2);
    }
    const got = await collect(1, 2);
    expect(got).toHaveLength(155);
    for (const name of got) left.set(name, left.get(name)! - 1);
    expect([...left.values()].every((n) => n >= 0)).toBe(true);
    expect([...left.values()].reduce((a, b) => a + b)).toBe(1);
  });

  test("are the same for a seed, and in another order for another", async () => {
    expect(await collect(1)).toEqual(await collect(1));
    expect(await collect(1)).not.toEqual(await collect(2));
  });

  test("take their rows from a sequence of pieces as well", async () => {
    const pieces = async function* () {
      yield rowsOf(3);
      yield rowsOf(4);
    };
    let count = 0;
    const options = { site, batch: 6, bufferTokens: 12, rng: random(1) };
    for await (const _ of shuffledBatches(model, backend, pieces(), options)) count += 1;
    expect(count).toBe(7);
  });
});

describe("a recording", () => {
  const options = { site, outputLimit: 6 * rowBytes };
  const contents = async (store: Store) =>
    Object.fromEntries(
      await Promise.all((await store.list()).map(async (key) => [key, await store.get(key)])),
    );

  test("holds the values, their mean and norms", async () => {
    const store = memoryStore();
    const manifest = await recordActivations(model, backend, data, { ...options, store });
    expect(manifest.shards.map(({ rows }) => rows)).toEqual([
      [0, 5],
      [5, 10],
      [10, 13],
    ]);
    const wanted = await allActs();
    for (const { file, rows } of manifest.shards) {
      const acts = (await readSafetensors(store, file)).tensors.acts!;
      expect(acts.shape).toEqual([(rows[1] - rows[0]) * 6, 12]);
      (acts.data as Float32Array).forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[rows[0] * 72 + i]!, 5);
      });
    }
    const norms = Array.from({ length: 78 }, (_, t) =>
      Math.hypot(...wanted.subarray(t * 12, (t + 1) * 12)),
    );
    const { moments } = manifest;
    expect(moments.count).toBe(78);
    expect(moments.meanNorm).toBeCloseTo(norms.reduce((a, b) => a + b) / 78, 5);
    for (let i = 0; i < 12; i++) {
      const column = Array.from({ length: 78 }, (_, t) => wanted[t * 12 + i]!);
      expect(moments.mean[i]).toBeCloseTo(column.reduce((a, b) => a + b) / 78, 5);
    }
    expect(manifest.weights).toBeUndefined();
    const four = Object.freeze({ ...model, blocks: { types: { Q4_0: 3 } } });
    const other = await recordActivations(four, backend, data, {
      ...options,
      store: memoryStore(),
    });
    expect(other).toEqual({
      ...manifest,
      weights: "float32 of blocks: 3 Q4_0; error not measured",
    });
    expect(await recordActivations(model, backend, data, { ...options, store })).toEqual(manifest);
  });

  test.each(["float32", "float16"] as const)(
    "interrupted in %s, ends with the same bytes",
    async (dtype) => {
      const limited = { ...options, outputLimit: (dtype === "float32" ? 6 : 3) * rowBytes };
      const whole = memoryStore();
      await recordActivations(model, backend, data, { ...limited, store: whole, dtype });
      for (const stopAt of [1, 2]) {
        const store = memoryStore();
        const stop = new AbortController();
        const context = {
          signal: stop.signal,
          onProgress: ({ done }: { done: number }) => done >= stopAt * 30 && stop.abort(),
        };
        const run = recordActivations(model, backend, data, { ...limited, store, dtype }, context);
        await expect(run).rejects.toMatchObject({ code: "run/interrupted" });
        expect(await store.size("manifest.json")).toBeUndefined();
        await recordActivations(model, backend, data, { ...limited, store, dtype });
        expect(await contents(store)).toEqual(await contents(whole));
      }
    },
  );

  test("in float16 is within half a unit in the last place", async () => {
    const store = memoryStore();
    const { shards } = await recordActivations(model, backend, data, {
      ...options,
      store,
      dtype: "float16",
    });
    const { tensors } = await readSafetensors(store, shards[0]!.file);
    expect(tensors.acts!.dtype).toBe("float16");
    const wanted = await allActs();
    toFloat32(tensors.acts!).data.forEach((x, i) => {
      expect(Math.abs(x - wanted[i]!)).toBeLessThanOrEqual(Math.abs(wanted[i]!) * 2 ** -11 + 1e-6);
    });
  });

  test("refuses to continue or reuse another one", async () => {
    const store = memoryStore();
    await recordActivations(model, backend, data, { ...options, store });
    const other = { ...options, store, site: "blocks.0.mlp.hook_pre" };
    await expect(recordActivations(model, backend, data, other)).rejects.toMatchObject({
      code: "activations/recipe",
    });
  });
});

test("moments are those of the definition, in one go or continued from JSON", () => {
  const acts = Float32Array.of(3, 4, 0, 0, 1, 0);
  const once = sumMoments(2);
  once.add(acts);
  expect(once.moments()).toEqual({
    count: 3,
    mean: Float64Array.of(4 / 3, 4 / 3),
    meanNorm: 2,
    meanSquare: 26 / 3,
    variance: 26 / 3 - 32 / 9,
  });
  const first = sumMoments(2);
  first.add(acts.subarray(0, 4));
  const second = sumMoments(2, JSON.parse(JSON.stringify(first.state())));
  second.add(acts.subarray(4));
  expect(second.moments()).toEqual(once.moments());
});
