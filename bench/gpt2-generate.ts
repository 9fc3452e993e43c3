// How fast does a GPT-2 small shape write with its cache, beside transformers and TransformerLens, and far into a text?
import { random } from "../src/base/random.ts";
import { generate } from "../src/hooks/index.ts";
import { openModel } from "../src/models/index.ts";
import { ortBackend } from "../src/runtime/index.ts";
import { fastest, gpt2Folder, shape } from "./lib/gpt2.ts";
import { say, size } from "./lib/line.ts";
import { throughLargePages } from "./lib/pages.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

await throughLargePages();

const [prompt, few, many] = [32, 64, 300];
const laps = size("LAPS", 2);
const folder = await gpt2Folder();
const rng = random(1);
const ids = Int32Array.from({ length: prompt }, () => rng.int(shape.d_vocab));

async function ours(max_new_tokens: number): Promise<number> {
  const backend = ortBackend();
  const model = await openModel(folder, { tokenizer: null });
  const seconds = await fastest(laps, async () => {
    for await (const _ of generate(model, backend, [ids], { max_new_tokens }));
  });
  await backend.release();
  return max_new_tokens / seconds;
}

const setting = `GPT-2 small shape, random weights, greedy, prompt ${prompt}; tokens/s, prompt included`;
for (const [peer, name, bar] of [
  ["hf", "transformers", 2],
  ["tl", "TransformerLens", 8],
] as const) {
  const before = await ours(few);
  const theirs = askPeer("gpt2.py", ["generate", peer, folder, prompt, few, laps]);
  const rate = theirs === undefined ? null : (1000 * few) / theirs.ms;
  const own = rate === null ? before : (before + (await ours(few))) / 2;
  say({
    claim: `cached generation is at least ${bar} times as fast as ${name}`,
    ours: own,
    peer: rate,
    ratio: rate === null ? null : own / rate,
    bar,
    ok: rate === null ? null : own / rate >= bar,
    setting: `${setting}, ${few} new${rate === null ? `; ${noPeer}` : ""}`,
  });
}
const [near, far] = [await ours(few), await ours(many)];
say({
  claim: "far into a text writing goes on at 0.85 of its rate or more",
  ours: far,
  peer: near,
  ratio: far / near,
  bar: 0.85,
  ok: far / near >= 0.85,
  setting: `${setting}; ${many} new tokens against ${few} of our own`,
});
