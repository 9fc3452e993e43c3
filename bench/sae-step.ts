// How long is one training step of a TopK dictionary, beside SAELens, dictionary_learning and sparsify?
import { random } from "../src/base/random.ts";
import { plantedWorld } from "../src/dictionaries/planted.ts";
import { trainDictionary } from "../src/dictionaries/train.ts";
import { ortBackend } from "../src/runtime/ort.ts";
import { median, say, size } from "./lib/line.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

const [d_in, d_sae, k, batch, steps] = [512, 4096, 32, 4096, size("STEPS", 15)];
const setting = `${d_in} → ${d_sae}, k ${k}, batch ${batch}, Adam, unit decoder rows; median step, ms`;
const peers = [
  { which: "saelens", name: "SAELens 6.54", bar: 3 },
  { which: "dictionary_learning", name: "dictionary_learning 0.1", bar: 3 },
  { which: "sparsify", name: "sparsify 1.3", bar: 1.2 },
];

/** The median step, everything included but making the data; the first two steps warm up. */
async function ourStep(): Promise<number> {
  const world = plantedWorld(random(0), { d: d_in, features: 4 * d_in, active: 24 });
  const made = [0, 1, 2, 3].map(() => world.sample(batch));
  async function* batches() {
    for (let i = 0; ; i++) yield made[i % made.length]!;
  }
  const backend = ortBackend();
  const times: number[] = [];
  let last = performance.now();
  const onProgress = (): void => {
    const now = performance.now();
    times.push(now - last);
    last = now;
  };
  const options = { d_in, d_sae, k, batch, steps: steps + 2, seed: 0, deadAfter: Infinity };
  await trainDictionary(batches(), options, { onProgress }, backend);
  await backend.release();
  return median(times.slice(2));
}

function peerStep(which: string): number | undefined {
  return askPeer("sae_step.py", [which, d_in, d_sae, k, batch, steps])?.ms;
}

for (const { which, name, bar } of peers) {
  // Before and after the peer, so that a busy moment of the machine does not decide.
  const before = await ourStep();
  const peer = peerStep(which);
  const ours = peer === undefined ? before : (before + (await ourStep())) / 2;
  const ratio = peer === undefined ? null : peer / ours;
  say({
    claim: `a dictionary's training step is at least ${bar} times as fast as ${name}`,
    ours,
    peer: peer ?? null,
    ratio,
    bar,
    ok: ratio === null ? null : ratio >= bar,
    setting: ratio === null ? `${setting}; ${noPeer}` : setting,
  });
}
