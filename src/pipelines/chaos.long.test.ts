// A training that is killed again and again ends with the weights of one that never was.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { random } from "../base/random.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { startJob } from "./runner.ts";
import { writeTinyModel } from "./tiny-model.fixture.ts";

const kills = 6;
let folder: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chaos-"));
  model = join(folder, "tiny");
  await writeTinyModel(model);
});
afterAll(() => rm(folder, { recursive: true }));

const input = () => ({ model, d_sae: 64, k: 4, steps: 240, batch: 1024, seed: 3 });

async function weightsIn(workspace: Workspace) {
  const { W_enc, W_dec, b_enc, b_dec } = await loadDictionary(
    workspace.store,
    "dictionaries/tiny-sae-64-k4-s3",
  );
  return { W_enc, W_dec, b_enc, b_dec };
}

test("killed at any moment and started again, it leaves the same bits", async () => {
  const whole = await openWorkspace(join(folder, "whole"));
  const job = await startJob("train", input(), { workspace: whole, threads: 1 });
  expect((await job.done).status).toBe("done");

  const torn = await openWorkspace(join(folder, "torn"));
  const rng = random(1665);
  for (let i = 0; i < kills; i++) {
    const started = await startJob("train", input(), { workspace: torn, threads: 1 });
    await sleep(1500 + rng.int(9000));
    started.kill();
    await started.done;
  }
  const last = await startJob("train", input(), { workspace: torn, threads: 1 });
  expect((await last.done).status).toBe("done");
  expect(await weightsIn(torn)).toEqual(await weightsIn(whole));
}, 600_000);
