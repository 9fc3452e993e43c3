// Does a replay give the recorded bits on the same build, and say what is otherwise on another?
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { initWeights, type ModelConfig, makeModel } from "../models/index.ts";
import { ortBackend, referenceBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { getText, putJson } from "../storage/store.ts";
import { type ActivationManifest, recordActivations } from "./record.ts";
import { replayActivations } from "./replay.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 1,
  d_model: 8,
  n_heads: 2,
  d_head: 4,
  d_mlp: 12,
  d_vocab: 20,
  n_ctx: 6,
  act_fn: "gelu",
  normalization: "LN",
  positions: "learned",
};
const model = makeModel(config, initWeights(config, random(5)));
const other = makeModel(config, initWeights(config, random(6)));
const backend = ortBackend({ threads: 1 });
const site = "blocks.0.hook_resid_post";
const rng = random(6);
const data = { n_ctx: 6, rows: 13, tokens: Int32Array.from({ length: 78 }, () => rng.int(20)) };

async function recorded(dtype: "float16" | "float32" = "float32") {
  const store = memoryStore();
  // Several shards, the last one shorter.
  const options = { site, store, prefix: "a/", dtype, outputLimit: 900 };
  const manifest = await recordActivations(model, backend, data, options);
  expect(manifest.shards.length).toBeGreaterThan(1);
  return { store, prefix: "a/" };
}

async function changed(
  { store, prefix }: Awaited<ReturnType<typeof recorded>>,
  change: (manifest: ActivationManifest) => object,
) {
  const manifest = JSON.parse(await getText(store, `${prefix}manifest.json`));
  await putJson(store, `${prefix}manifest.json`, change(manifest));
}

test.each(["float32", "float16"] as const)("%s: every bit comes out again", async (dtype) => {
  const place = await recorded(dtype);
  const replay = await replayActivations(model, backend, data, place);
  expect(replay).toMatchObject({ numbers: 13 * 6 * 8, differing: 0, far: 0, exact: true });
  expect(replay.differences).toEqual([]);
  expect(replay.says).toMatch(/same to the bit, on the build, options and kind of processor/);
});

test("the manifest says on what it was computed", async () => {
  const { store, prefix } = await recorded();
  const manifest = JSON.parse(await getText(store, `${prefix}manifest.json`));
  expect(manifest.builds).toHaveLength(1);
  expect(manifest.builds[0]).toMatchObject({ node: process.version, options: { threads: 1 } });
  expect(manifest.output_limit).toBe(900);
});

test("another engine is said, and no claim is made for its bits", async () => {
  const place = await recorded();
  const replay = await replayActivations(model, referenceBackend(), data, place);
  expect(replay.exact).toBe(false);
  expect(replay.differences.join()).toMatch(/engine: onnxruntime .* then, reference now/);
  expect(replay.differing).toBeGreaterThan(0);
  expect(replay.far).toBeLessThan(1e-5);
  expect(replay.says).toMatch(/differ, by .*another build .*bits need not agree/);
});

test("another processor, and a recording that does not say, are told from sameness", async () => {
  const place = await recorded();
  await changed(place, (manifest) => ({
    ...manifest,
    builds: manifest.builds!.map((build) => ({ ...build, cpu: { model: "old", flags: [] } })),
  }));
  const moved = await replayActivations(model, backend, data, place);
  expect(moved).toMatchObject({ exact: false, differing: 0 });
  expect(moved.says).toMatch(/same to the bit, though .*cpu: old then/);
  await changed(place, ({ builds: _, ...manifest }) => manifest);
  const silent = await replayActivations(model, backend, data, place);
  expect(silent.exact).toBe(false);
  expect(silent.says).toMatch(/did not say on what/);
});

test("a bit that differs on the same build is no rounding: it is said to be wrong", async () => {
  const { store, prefix } = await recorded();
  const key = `${prefix}acts-00001.safetensors`;
  const bytes = (await store.get(key)).slice();
  bytes[bytes.length - 4]! ^= 1;
  await store.put(key, bytes);
  const replay = await replayActivations(model, backend, data, { store, prefix });
  expect(replay).toMatchObject({ exact: true, differing: 1 });
  expect(replay.far).toBeGreaterThan(0);
  expect(replay.says).toMatch(/1 of 624 numbers differ.*something is wrong/);
});

test("what is of another model or of other tokens, or not there, is refused", async () => {
  const place = await recorded();
  const code = (run: Promise<unknown>) => run.catch((error) => error.code);
  expect(await code(replayActivations(other, backend, data, place))).toBe("activations/recipe");
  const tokens = data.tokens.map((id) => (id + 1) % 20);
  const moved = { ...data, tokens };
  expect(await code(replayActivations(model, backend, moved, place))).toBe("activations/recipe");
  const nowhere = { store: place.store, prefix: "b/" };
  expect(await code(replayActivations(model, backend, data, nowhere))).toBe("activations/missing");
});
