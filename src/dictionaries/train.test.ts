import { describe, expect, it } from "vitest";
import { random } from "../base/random.ts";
import { ortBackend } from "../runtime/ort.ts";
import { memoryStore } from "../storage/memory.ts";
import type { Dictionary } from "./dictionary.ts";
import { bestCosines } from "./metrics.ts";
import { plantedWorld } from "./planted.ts";
import {
  rateAt,
  type TrainContext,
  type TrainMetrics,
  type TrainOptions,
  trainDictionary,
} from "./train.ts";
import { loadTrainingState, saveTrainingState } from "./training-state.ts";

const backend = ortBackend();

async function* forever(sample: () => Float32Array): AsyncGenerator<Float32Array> {
  for (;;) yield sample();
}

/** Batches of the planted world, from number `skip` on. */
function plantedBatches(batch: number, { skip = 0, seed = 1, d = 64, features = 128 } = {}) {
  const world = plantedWorld(random(seed), { d, features, active: 4 });
  for (let i = 0; i < skip; i++) world.sample(batch);
  return { world, batches: forever(() => world.sample(batch)) };
}

const world64: TrainOptions = {
  d_in: 64,
  d_sae: 256,
  k: 5,
  steps: 800,
  batch: 512,
  seed: 0,
  lr: 3e-3,
};

function recovered(dictionary: Dictionary, directions: Float32Array): number {
  const cosines = bestCosines(directions, dictionary.W_dec, dictionary.d_in);
  return cosines.filter((cosine) => cosine > 0.9).length / cosines.length;
}

describe("trainDictionary", () => {
  it("finds more than 90 % of 128 planted features in 64 dimensions", async () => {
    const { world, batches } = plantedBatches(512);
    const seen: TrainMetrics[] = [];
    const context = { onMetrics: (m: TrainMetrics) => void seen.push(m) };
    const dictionary = await trainDictionary(batches, world64, context, backend);
    expect(recovered(dictionary, world.directions)).toBeGreaterThan(0.9);
    const last = seen.at(-1)!;
    expect(last).toMatchObject({ step: 800, tokens: 800 * 512 });
    expect(last.FVU).toBeLessThan(0.15);
    expect(last.L0).toBeLessThanOrEqual(5);
    for (let f = 0; f < 256; f++)
      expect(Math.hypot(...dictionary.W_dec.subarray(f * 64, (f + 1) * 64))).toBeCloseTo(1, 5);
  });

  it("does not find them in noise of the same size (control)", async () => {
    const { world } = plantedBatches(512);
    const rng = random(2);
    const noise = forever(() => Float32Array.from({ length: 512 * 64 }, () => rng.normal() / 4));
    const dictionary = await trainDictionary(noise, world64, {}, backend);
    expect(recovered(dictionary, world.directions)).toBeLessThan(0.05);
  });

  const short: TrainOptions = {
    d_in: 20,
    d_sae: 100,
    k: 4,
    steps: 60,
    batch: 128,
    seed: 3,
    deadAfter: 1024,
    workers: 1,
  };
  const shortBatches = (skip = 0) =>
    plantedBatches(128, { skip, d: 20, features: 60, seed: 5 }).batches;

  it("ends with the same bits after a stop and a continuation, at another number of workers", async () => {
    const whole = await trainDictionary(shortBatches(), short, {}, backend);
    const store = memoryStore();
    const stop = new AbortController();
    const context: TrainContext = {
      signal: stop.signal,
      onProgress: ({ done }) => {
        if (done === 25) stop.abort();
      },
      onCheckpoint: (state) => saveTrainingState(store, "run/state.safetensors", state),
    };
    const stopped = trainDictionary(shortBatches(), short, context, backend);
    await expect(stopped).rejects.toMatchObject({ code: "run/interrupted" });
    const resume = (await loadTrainingState(store, "run/state.safetensors"))!;
    expect(resume.step).toBe(25);
    const options = { ...short, resume, workers: 2 };
    const continued = await trainDictionary(shortBatches(25), options, {}, backend);
    for (const name of ["W_enc", "b_enc", "W_dec", "b_dec"] as const)
      expect(Buffer.from(continued[name].buffer)).toEqual(Buffer.from(whole[name].buffer));
    expect(continued.metadata).toEqual(whole.metadata);
  });

  it("refuses to continue with other settings", async () => {
    let resume: TrainOptions["resume"];
    const context: TrainContext = {
      onCheckpoint: (state) => {
        resume = state;
      },
    };
    await trainDictionary(shortBatches(), { ...short, checkpointEvery: 30 }, context, backend);
    expect(resume?.step).toBe(30);
    const other = trainDictionary(shortBatches(30), { ...short, lr: 7, resume }, {}, backend);
    await expect(other).rejects.toMatchObject({ code: "train/settings" });
  });

  it("brings dead features back with AuxK", async () => {
    // Before the second step, half of the features get an encoder too weak to be among the top k.
    const silenced = 50;
    const shares: number[] = [];
    for (const auxCoefficient of [0, 1 / 32]) {
      const options: TrainOptions = { ...short, steps: 300, lr: 1e-2, auxCoefficient };
      let resume: TrainOptions["resume"];
      const grab: TrainContext = {
        onCheckpoint: (state) => {
          resume ??= state;
        },
      };
      await trainDictionary(shortBatches(), { ...options, checkpointEvery: 1 }, grab, backend);
      const { weights, lastFired } = resume!;
      weights.W_enc.forEach((w, i) => {
        if (i < (silenced * weights.W_enc.length) / 100) weights.W_enc[i] = w / 100;
      });
      lastFired.fill(-1e9, 0, silenced);
      const seen: TrainMetrics[] = [];
      const context = { onMetrics: (m: TrainMetrics) => void seen.push(m) };
      await trainDictionary(shortBatches(1), { ...options, resume }, context, backend);
      expect(seen.at(-1)!.aux > 0).toBe(auxCoefficient > 0);
      shares.push(seen.at(-1)!.dead);
    }
    expect(shares[0]).toBeGreaterThan(0.45);
    expect(shares[1]).toBeLessThan(0.1);
  });

  it.each([
    [{ d_sae: 0 }, "dictionary/size"],
    [{ k: 101 }, "dictionary/k"],
    [{ k: 1.5 }, "dictionary/size"],
    [{ steps: 0 }, "train/size"],
  ])("refuses %o with %s", async (change, code) => {
    const run = trainDictionary(shortBatches(), { ...short, ...change }, {}, backend);
    await expect(run).rejects.toMatchObject({ code });
  });

  it.each([
    ["NaN among the inputs", () => new Float32Array(128 * 20).fill(Number.NaN), "train/not-finite"],
    ["inputs that never change", () => new Float32Array(128 * 20).fill(1), "train/no-variance"],
    ["inputs that are all zero", () => new Float32Array(128 * 20), "train/no-variance"],
    ["a batch of the wrong size", () => new Float32Array(7), "train/batch"],
  ])("refuses %s", async (_, sample, code) => {
    const run = trainDictionary(forever(sample), short, {}, backend);
    await expect(run).rejects.toMatchObject({ code });
  });

  it("refuses NaN that comes later, and batches that end early", async () => {
    const good = shortBatches();
    async function* spoilt() {
      for (let i = 0; ; i++) {
        const { value } = await good.next();
        if (i === 80) value[5] = Number.POSITIVE_INFINITY;
        yield value as Float32Array;
      }
    }
    const late = trainDictionary(spoilt(), { ...short, steps: 90 }, {}, backend);
    await expect(late).rejects.toMatchObject({ code: "train/not-finite", where: "step 80" });
    async function* three() {
      for (let i = 0; i < 3; i++) yield (await good.next()).value as Float32Array;
    }
    const early = trainDictionary(three(), short, {}, backend);
    await expect(early).rejects.toMatchObject({ code: "train/batches" });
  });

  it("warms up, holds, and falls to almost nothing", () => {
    const plan = { lr: 2, warmup: 10, decay: 0.2, steps: 100 };
    expect([0, 9, 50, 90, 99].map((step) => rateAt(step, plan))).toEqual([0.2, 2, 2, 1, 0.1]);
  });
});
