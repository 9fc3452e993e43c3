// How fast is a language model grown, beside the same step in eager PyTorch?
import { ortBackend } from "../src/runtime/index.ts";
import { median, say, size } from "./lib/line.ts";
import { config, stepTimes } from "./lib/organism.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

const batch = 32;
const steps = size("STEPS", 20);
const bar = 1.3;
const { d_model, n_heads, d_mlp, d_vocab, n_ctx } = config;

async function tokensPerSecond(): Promise<number> {
  const backend = ortBackend();
  const times = await stepTimes(backend, { steps, batch, weightDecay: 0.01 });
  await backend.release();
  return (1000 * batch * n_ctx) / median(times);
}

const before = await tokensPerSecond();
const theirs = askPeer("lm_step.py", [batch, n_ctx, d_model, n_heads, d_mlp, d_vocab, steps]);
const peer = theirs === undefined ? null : (1000 * batch * n_ctx) / theirs.ms;
const ours = peer === null ? before : (before + (await tokensPerSecond())) / 2;
const setting = `one-layer organism, batch ${batch} × ${n_ctx}, AdamW with clipping; tokens/s, median step`;
say({
  claim: `a language model's training step is at least ${bar} times as fast as eager PyTorch`,
  ours,
  peer,
  ratio: peer === null ? null : ours / peer,
  bar,
  ok: peer === null ? null : ours / peer >= bar,
  setting: peer === null ? `${setting}; ${noPeer}` : setting,
});
