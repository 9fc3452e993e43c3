// How fast, and in how much memory, are the loss's gradients at every weight of a GPT-2 small shape, beside eager PyTorch?
import { execFileSync } from "node:child_process";
import { gpt2Folder } from "./lib/gpt2.ts";
import { say, size } from "./lib/line.ts";
import { throughLargePages } from "./lib/pages.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

await throughLargePages();
const [batch, pos] = [4, 128];
const laps = size("LAPS", 3);
const folder = await gpt2Folder();

interface Cost {
  ms: number;
  bytes: number;
}

/** In a process of its own; imports are not counted, on neither side. */
function ours(): Cost {
  const args = [folder, batch, pos, laps].map(String);
  const file = "bench/lib/gpt2-gradients.ts";
  const out = execFileSync(process.execPath, ["--import", "tsx", file, ...args], {
    encoding: "utf8",
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

const before = ours();
const theirs = askPeer("gpt2.py", ["gradients", "hf", folder, batch, pos, laps]) as
  | Cost
  | undefined;
const after = theirs === undefined ? before : ours();
const rate = (ms: number): number => (1000 * batch * pos) / ms;
const own = (rate(before.ms) + rate(after.ms)) / 2;
const peer = theirs === undefined ? null : rate(theirs.ms);
const bytes = Math.max(before.bytes, after.bytes);
const setting =
  `GPT-2 small shape, ${batch} × ${pos}, cross entropy to all weights and 12 residual streams` +
  (theirs === undefined ? `; ${noPeer}` : "");
say({
  claim: "gradients of all weights come at eager PyTorch's rate or more",
  ours: own,
  peer,
  ratio: peer === null ? null : own / peer,
  bar: 1,
  ok: peer === null ? null : own / peer >= 1,
  setting: `${setting}; tokens/s`,
});
say({
  claim: "gradients of all weights take at most 2.5 GB",
  ours: bytes / 1e9,
  peer: theirs === undefined ? null : theirs.bytes / 1e9,
  ratio: theirs === undefined ? null : theirs.bytes / bytes,
  bar: 2.5,
  ok: bytes <= 2.5e9,
  setting: `${setting}; GB of the process beyond what it had after its imports`,
});
