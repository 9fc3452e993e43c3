// Is a recording of every family that reads tokens replayed to the bit, with what bits depend on in its manifest?
import { afterAll, expect, test } from "vitest";
import {
  type ActivationManifest,
  recordActivations,
  replayActivations,
} from "../../src/activations/index.ts";
import { buildInfo, ortBackend } from "../../src/runtime/index.ts";
import { memoryStore } from "../../src/storage/memory.ts";
import { getText } from "../../src/storage/store.ts";
import { decoders, drawTokens, encoders } from "./subjects.fixture.ts";

const ort = ortBackend({ threads: 1 });
afterAll(() => ort.release());
const build = await buildInfo(ort);
const site = "blocks.1.hook_resid_post";
const subjects = [...(await decoders()), ...(await encoders())];

test.each(subjects.map((one) => [one.name, one] as const))("%s", async (_, { open }) => {
  const model = await open();
  // Images are no rows of tokens.
  if (model.config.encoder?.image !== undefined) return;
  const { data: tokens } = drawTokens([5, 9], model.config.d_vocab);
  const data = { n_ctx: 9, rows: 5, tokens };
  const store = memoryStore();
  // Small enough for several runs a shard.
  const outputLimit = 2 * 9 * 4 * model.config.d_model;
  await recordActivations(model, ort, data, { site, store, outputLimit });
  const manifest = JSON.parse(await getText(store, "manifest.json")) as ActivationManifest;
  expect(manifest.builds).toEqual([build]);
  expect(manifest.shards.length).toBeGreaterThan(1);
  const replay = await replayActivations(model, ort, data, { store });
  const numbers = 5 * 9 * model.config.d_model;
  expect(replay).toMatchObject({ numbers, differing: 0, exact: true, differences: [] });
});
