import { describe, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { ortBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { getText } from "../storage/store.ts";
import type { ModelConfig } from "./config.ts";
import { type GrowOptions, type GrowRows, growModel } from "./grow.ts";
import { permutedModel } from "./permuted.ts";
import { contextLosses } from "./validate.ts";

const backend = ortBackend({ threads: 2 });
const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 16,
  n_heads: 2,
  d_head: 8,
  d_mlp: 32,
  d_vocab: 12,
  n_ctx: 16,
  act_fn: "relu",
  normalization: "none",
  positions: "learned",
};

/** A chain with known entropy: each token is followed by one of two, with ¾ and ¼. */
function chain(rows: number, seed: number): GrowRows & { tokens: Int32Array } {
  const rng = random(seed);
  const tokens = new Int32Array(rows * config.n_ctx);
  for (let i = 0; i < tokens.length; i++) {
    const last = i % config.n_ctx === 0 ? rng.int(12) : tokens[i - 1]!;
    tokens[i] = (last * 5 + (rng.uniform() < 0.75 ? 1 : 4)) % 12;
  }
  return { n_ctx: config.n_ctx, rows, tokens };
}

const data = chain(256, 1);
const options: GrowOptions = { steps: 60, batch: 16, lr: 1e-2, seed: 3, recordEvery: 5 };

describe("growing", () => {
  test("comes within 5 % of a Markov chain's entropy, and its permuted copy does not", async () => {
    const held = { ...chain(64, 2), contexts: ["even", "odd"] };
    const context = Uint16Array.from(held.tokens, (id) => id % 2);
    const store = memoryStore();
    const valRows = { ...held, context };
    const model = await growModel(
      config,
      chain(1024, 1),
      {
        ...options,
        steps: 300,
        valRows,
        validateEvery: 100,
        measure: async (weights) => ({ largest: [Math.max(...weights["unembed.W_U"]!.data)] }),
        measureEvery: 150,
        store,
      },
      {},
      backend,
    );
    const entropy = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25));
    const record = (await getText(store, "growth.jsonl")).trim().split("\n");
    const { validation } = JSON.parse(record.at(-1)!);
    expect(validation.all).toBeGreaterThan(entropy * 0.95);
    expect(validation.all).toBeLessThan(entropy * 1.05);
    expect(Object.keys(validation)).toEqual(["all", "even", "odd"]);
    expect(record.filter((line) => line.includes("validation"))).toHaveLength(3);
    const measured = record.map((line) => JSON.parse(line).readings).filter(Boolean);
    expect(measured).toHaveLength(2);
    expect(measured[1]).toEqual({ largest: [Math.max(...model.weights["unembed.W_U"]!.data)] });
    const control = permutedModel(model, 1);
    expect((await contextLosses(config, control.weights, valRows, backend)).all).toBeGreaterThan(2);
  });

  test("killed at any step and continued, leaves the same bits and the same record", async () => {
    const whole = memoryStore();
    const wanted = await growModel(
      config,
      data,
      { ...options, store: whole, checkpointEvery: 7 },
      {},
      backend,
    );
    for (const killAt of [1, 20, 59]) {
      const store = memoryStore();
      const killed = {
        onProgress: ({ done }: { done: number }) => {
          if (done === killAt * 16 * 15) throw new Error("killed");
        },
      };
      const again = { ...options, store, checkpointEvery: 7 };
      await expect(growModel(config, data, again, killed, backend)).rejects.toThrow("killed");
      const model = await growModel(config, data, again, {}, backend);
      expect(model.hash).toBe(wanted.hash);
      expect(await losses(store)).toEqual(await losses(whole));
      expect((await store.list()).sort()).toEqual((await whole.list()).sort());
    }
  });

  test("stopped by its signal, keeps the step it was at", async () => {
    const store = memoryStore();
    const stop = new AbortController();
    const context = {
      signal: stop.signal,
      onProgress: ({ done }: { done: number }) => {
        if (done === 10 * 16 * 15) stop.abort();
      },
    };
    await expect(
      growModel(config, data, { ...options, store }, context, backend),
    ).rejects.toMatchObject({
      code: "run/interrupted",
    });
    expect(JSON.parse(await getText(store, "checkpoint.json")).step).toBe(10);
    const resumed = await growModel(config, data, { ...options, store }, {}, backend);
    expect(resumed.hash).toBe((await growModel(config, data, options, {}, backend)).hash);
    await expect(
      growModel(config, data, { ...options, store, lr: 1 }, {}, backend),
    ).rejects.toMatchObject({ code: "grow/recipe" });
  });

  test("refuses rows that do not fit, and says when the loss is gone", async () => {
    const grow = (rows: GrowRows, more: object = {}) =>
      growModel(config, rows, { ...options, ...more }, {}, backend);
    await expect(grow({ ...data, n_ctx: 8 })).rejects.toMatchObject({ code: "grow/rows" });
    await expect(grow({ ...data, rows: 3 })).rejects.toMatchObject({ code: "grow/rows" });
    await expect(grow({ ...data, tokens: data.tokens.map(() => 12) })).rejects.toMatchObject({
      code: "grow/rows",
    });
    await expect(grow(data, { lr: 1e30, warmup: 0 })).rejects.toMatchObject({
      code: "grow/diverged",
    });
  });

  test("a stream and the same rows in order grow the same model", async () => {
    const { n_ctx, tokens } = data;
    const stream = (id: string) => ({
      n_ctx,
      id,
      read: async (row: number, count: number) =>
        tokens.slice((row % 256) * n_ctx, ((row % 256) + count) * n_ctx),
    });
    const a = await growModel(config, stream("a"), options, {}, backend);
    const b = await growModel(config, stream("b"), options, {}, backend);
    expect(a.hash).toBe(b.hash);
  });
});

async function losses(store: ReturnType<typeof memoryStore>): Promise<unknown[]> {
  const lines = (await getText(store, "growth.jsonl")).trim().split("\n");
  return lines.map((line) => ({ ...JSON.parse(line), tokensPerSecond: 0 }));
}
