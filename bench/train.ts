// How fast does the demo's dictionary learn, and where does its time go?
import { shuffledBatches } from "../src/activations/index.ts";
import { random } from "../src/base/random.ts";
import { trainDictionary } from "../src/dictionaries/index.ts";
import { ortBackend } from "../src/runtime/index.ts";
import { say, size } from "./lib/line.ts";
import { config, newborn, rowsOfTokens } from "./lib/organism.ts";

const site = "blocks.0.mlp.hook_post";
const [d_sae, k, batch] = [2048, 32, 2048];
/** Batches that come at once when the buffer has been filled: the first are not timed, the others are whole. */
const gust = 16;
const steps = (1 + size("GUSTS", 4)) * gust;
/** 6 M tokens within four minutes, of the six that the demo may take. */
const bar = 25_000;

const backend = ortBackend();
const rows = rowsOfTokens(1024);
const source = { site, batch, bufferTokens: 2 * gust * batch, rng: random(0), epochs: 1000 };
let waited = 0;
async function* timed() {
  const batches = shuffledBatches(newborn(), backend, rows, source);
  for (;;) {
    const began = performance.now();
    const { value, done } = await batches.next();
    waited += performance.now() - began;
    if (done) return;
    yield value;
  }
}

let step = 0;
let start = { time: 0, waited: 0 };
const onProgress = (): void => {
  step += 1;
  if (step === gust) start = { time: performance.now(), waited };
};
const options = { d_in: config.d_mlp, d_sae, k, batch, steps, seed: 0, deadAfter: Infinity };
await trainDictionary(timed(), options, { onProgress }, backend);
const total = performance.now() - start.time;
await backend.release();
const ours = (1000 * (steps - gust) * batch) / total;
const share = (waited - start.waited) / total;
const perStep = ((1 - share) * total) / (steps - gust);
say({
  claim: `the demo's dictionary learns from ${bar.toLocaleString("en-GB")} tokens a second`,
  ours,
  peer: null,
  ratio: null,
  bar,
  ok: ours >= bar,
  setting: `${config.d_mlp} → ${d_sae}, k ${k}, batch ${batch}, on the fly from the one-layer organism; ${Math.round(100 * share)} % of the time for activations, ${Math.round(perStep)} ms a step; tokens/s`,
});
