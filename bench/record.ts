// What does recording cost beyond running the model, and how much memory does it take?
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordActivations } from "../src/activations/index.ts";
import { captureProgram } from "../src/hooks/index.ts";
import { ortBackend, outputLimitBytes } from "../src/runtime/index.ts";
import { folderStore } from "../src/storage/index.ts";
import { sizeOf, tensor } from "../src/tensor/index.ts";
import { say, size } from "./lib/line.ts";
import { newborn, rowsOfTokens } from "./lib/organism.ts";

const site = "blocks.0.mlp.hook_post";
const data = rowsOfTokens(size("ROWS", 4096));
const tokens = data.rows * data.n_ctx;
const batch = 16;
const model = newborn();
const backend = ortBackend();

/** The same program, its results thrown away. */
async function plain(rows: number): Promise<number> {
  const program = captureProgram(model, { batch, pos: data.n_ctx, sites: [site] });
  const run = await backend.compile(program);
  const width = batch * data.n_ctx;
  const began = performance.now();
  for (let at = 0; at + width <= rows * data.n_ctx; at += width) {
    const part = tensor("int32", [batch, data.n_ctx], data.tokens.subarray(at, at + width));
    await run.run({ ...model.weights, tokens: part });
  }
  await run.release();
  return (1000 * rows * data.n_ctx) / (performance.now() - began);
}

const folder = await mkdtemp(join(tmpdir(), "micrographia-record-"));
await plain(batch);
const before = process.memoryUsage.rss();
const began = performance.now();
await recordActivations(model, backend, data, { site, store: folderStore(folder) });
const ours = (1000 * tokens) / (performance.now() - began);
const grown = process.resourceUsage().maxRSS * 1024 - before;
const peer = await plain(data.rows);
await backend.release();
await rm(folder, { recursive: true });

say({
  claim: "recording to disk runs at half the rate of the bare program or more",
  ours,
  peer,
  ratio: ours / peer,
  bar: 0.5,
  ok: ours / peer >= 0.5,
  setting: `${site} of the one-layer organism, ${tokens} tokens, float16 shards; tokens/s`,
});
const weights = Object.values(model.weights).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
const bound = (3 * outputLimitBytes + weights) / 2 ** 20;
say({
  claim: "recording takes no more than three times the output limit, and the weights",
  ours: grown / 2 ** 20,
  peer: null,
  ratio: null,
  bar: Math.round(bound),
  ok: grown / 2 ** 20 <= bound,
  setting: `what memory grew by at its peak; output limit ${outputLimitBytes / 2 ** 20} MB; MB`,
});
