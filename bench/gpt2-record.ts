// How fast is the residual stream of every layer recorded on a GPT-2 small shape, beside TransformerLens and transformers?
import { random } from "../src/base/random.ts";
import { runWithCache } from "../src/hooks/index.ts";
import { openModel } from "../src/models/index.ts";
import { ortBackend } from "../src/runtime/index.ts";
import { tensor } from "../src/tensor/index.ts";
import { fastest, gpt2Folder, shape } from "./lib/gpt2.ts";
import { say, size } from "./lib/line.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

const [batch, pos] = [8, 256];
const laps = size("LAPS", 3);
const folder = await gpt2Folder();
const rng = random(1);
const ids = Int32Array.from({ length: batch * pos }, () => rng.int(shape.d_vocab));
const tokens = tensor("int32", [batch, pos], ids);

async function ours(): Promise<number> {
  // As the job `record` does.
  const backend = ortBackend({ prepack: true });
  const model = await openModel(folder, { tokenizer: null });
  const seconds = await fastest(laps, () =>
    runWithCache(model, backend, tokens, { sites: ["resid_post"] }),
  );
  await backend.release();
  return (batch * pos) / seconds;
}

for (const [peer, name, bar] of [
  ["tl", "TransformerLens", 1.3],
  ["hf", "bare transformers (sdpa)", 1],
] as const) {
  const before = await ours();
  const theirs = askPeer("gpt2.py", ["record", peer, folder, batch, pos, laps]);
  const rate = theirs === undefined ? null : (1000 * batch * pos) / theirs.ms;
  const own = rate === null ? before : (before + (await ours())) / 2;
  const setting = `GPT-2 small shape, random weights, resid_post of 12 layers, ${batch} × ${pos}; tokens/s`;
  say({
    claim: `recording all layers runs at ${bar} times ${name}'s rate or more`,
    ours: own,
    peer: rate,
    ratio: rate === null ? null : own / rate,
    bar,
    ok: rate === null ? null : own / rate >= bar,
    setting: rate === null ? `${setting}; ${noPeer}` : setting,
  });
}
