// How long, and how much memory, from a folder to the first captured value on a GPT-2 small shape?
import { execFileSync } from "node:child_process";
import { gpt2Folder } from "./lib/gpt2.ts";
import { median, say, size } from "./lib/line.ts";
import { askPeer, noPeer } from "./lib/peer.ts";

const laps = size("LAPS", 3);
const folder = await gpt2Folder();

/** In a process of its own; imports are not counted, on neither side. */
function ours(): { ms: number; bytes: number } {
  const out = execFileSync(
    process.execPath,
    ["--import", "tsx", "bench/lib/gpt2-first.ts", folder],
    {
      encoding: "utf8",
    },
  );
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

const runs = Array.from({ length: laps }, ours);
const ms = median(runs.map((run) => run.ms));
const bytes = median(runs.map((run) => run.bytes));
const theirs = askPeer("gpt2.py", ["load", "tl", folder]) as
  | { ms: number; bytes: number }
  | undefined;
const setting =
  "GPT-2 small shape, prompt 1 × 32, last resid_post, no logits; imports not counted" +
  (theirs === undefined ? `; ${noPeer}` : "");
say({
  claim: "load to first captured value takes at most a quarter of TransformerLens' time",
  ours: ms,
  peer: theirs?.ms ?? null,
  ratio: theirs === undefined ? null : theirs.ms / ms,
  bar: 4,
  ok: theirs === undefined ? null : theirs.ms / ms >= 4,
  setting: `${setting}; milliseconds`,
});
say({
  claim: "load to first captured value takes at most half of TransformerLens' peak memory",
  ours: bytes / 1e6,
  peer: theirs === undefined ? null : theirs.bytes / 1e6,
  ratio: theirs === undefined ? null : theirs.bytes / bytes,
  bar: 2,
  ok: theirs === undefined ? null : theirs.bytes / bytes >= 2,
  setting: `${setting}; MB of the process beyond what it had after its imports`,
});
