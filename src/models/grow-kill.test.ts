import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { random } from "../base/random.ts";
import { ortBackend, referenceBackend } from "../runtime/index.ts";
import { folderStore } from "../storage/folder.ts";
import type { ModelConfig } from "./config.ts";
import { type GrowRows, growModel } from "./grow.ts";

const config: ModelConfig = {
  name: "tiny",
  n_layers: 2,
  d_model: 16,
  n_heads: 2,
  d_head: 8,
  d_mlp: 32,
  d_vocab: 24,
  n_ctx: 16,
  act_fn: "gelu",
  normalization: "LN",
  positions: "learned",
};

function rows(): GrowRows {
  const rng = random(1);
  return { n_ctx: 16, rows: 64, tokens: Int32Array.from({ length: 1024 }, () => rng.int(24)) };
}
const options = { steps: 150, batch: 8, seed: 2, checkpointEvery: 10 };

test("two steps on ONNX Runtime are two steps in float64", async () => {
  const short = { ...options, steps: 2 };
  const fast = await growModel(config, rows(), short, {}, ortBackend({ threads: 2 }));
  const slow = await growModel(config, rows(), short, {}, referenceBackend());
  for (const [name, { data }] of Object.entries(slow.weights)) {
    // Adam's first steps are nearly lr·sign(gradient): where that is rounding noise, anything goes.
    if (name.endsWith("b_K")) continue;
    data.forEach((x, i) => {
      expect(Math.abs(fast.weights[name]!.data[i]! - x), name).toBeLessThan(1e-4);
    });
  }
});

test("a process killed in the middle is continued by another, to the same bits", async () => {
  const folder = mkdtempSync(join(tmpdir(), "grow-"));
  try {
    const store = folderStore(folder);
    const child = spawn(
      process.execPath,
      [
        "--import=tsx",
        "--input-type=module",
        "--eval",
        `import { growModel } from "./src/models/grow.ts";
         import { ortBackend } from "./src/runtime/index.ts";
         import { folderStore } from "./src/storage/folder.ts";
         const [config, options, tokens] = JSON.parse(process.argv[1]);
         const data = { n_ctx: 16, rows: 64, tokens: Int32Array.from(tokens) };
         const store = folderStore(${JSON.stringify(folder)});
         await growModel(config, data, { ...options, store }, {}, ortBackend({ threads: 2 }));`,
        JSON.stringify([config, options, [...rows().tokens]]),
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const ended = new Promise<string | null>((resolve) => {
      child.on("exit", (_, signal) => resolve(signal));
    });
    // Not before a checkpoint is there; then at a moment that nobody chose.
    while ((await store.size("checkpoint.json")) === undefined && child.exitCode === null)
      await sleep(5);
    await sleep(30);
    child.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");

    const backend = ortBackend({ threads: 2 });
    const resumed = await growModel(config, rows(), { ...options, store }, {}, backend);
    const whole = await growModel(config, rows(), options, {}, backend);
    expect(resumed.hash).toBe(whole.hash);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
