// Claim: beyond the encoder's pass, 4,096 features over 1 M tokens are described in under 20 s on 2 cores.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeColumns } from "../src/analysis/describe.ts";
import { backendProduct } from "../src/analysis/product.ts";
import { type Random, random } from "../src/base/random.ts";
import type { FeatureColumns } from "../src/dictionaries/sparse.ts";
import { layGround } from "../src/evidence/judge.ts";
import type { LabelledTokens } from "../src/evidence/labels.ts";
import { ortBackend } from "../src/runtime/ort.ts";
import { folderStore } from "../src/storage/folder.ts";

const size = {
  features: Number(process.env.FEATURES ?? 4096),
  tokens: Number(process.env.TOKENS ?? 1_000_000),
  select: Number(process.env.SELECT ?? 500_000),
  k: 32,
  d_in: 512,
  d_model: 128,
  d_vocab: 4096,
  contexts: 35,
  document: 250,
};

/** Zipfian tokens, documents of one context each, about 250 tokens long. */
function makeText(n: number, rng: Random): LabelledTokens {
  const documents: { id: string; context: string }[] = [];
  const tokens = new Int32Array(n);
  const context = new Uint16Array(n);
  const doc = new Int32Array(n);
  const contexts = Array.from({ length: size.contexts }, (_, c) => `context ${c}`);
  for (let t = 0, c = 0, left = 0; t < n; t++, left--) {
    if (left === 0) {
      left = Math.floor(size.document * (0.5 + rng.uniform()));
      c = rng.int(size.contexts);
      documents.push({ id: `d${documents.length}`, context: contexts[c]! });
    }
    const zipf = Math.floor(size.d_vocab ** rng.uniform()) - 1;
    tokens[t] = rng.uniform() < 0.3 ? (zipf + 97 * c) % size.d_vocab : zipf;
    context[t] = c;
    doc[t] = documents.length - 1;
  }
  return { tokens, context, doc, contexts, documents };
}

/** k active a token: some by the token, some by the context, the rest from a heavy-tailed heap. */
function makeColumns(text: LabelledTokens, rng: Random): FeatureColumns {
  const { features: F, k } = size;
  const n = text.tokens.length;
  const pick = (t: number, j: number, u: number): number => {
    const by = j < 10 ? text.tokens[t]! * 13 : j < 16 ? text.context[t]! * 101 + 7 : 0;
    if (j < 16) return (by + Math.floor(u * 40)) % F;
    return Math.floor(u * u * F);
  };
  const offsets = new Float64Array(F + 1);
  const chosen = new Uint16Array(n * k);
  const mark = new Int32Array(F).fill(-1);
  for (let t = 0; t < n; t++)
    for (let j = 0; j < k; j++) {
      let f = pick(t, j, rng.uniform());
      while (mark[f] === t) f = (f + 1) % F;
      mark[f] = t;
      chosen[t * k + j] = f;
      offsets[f + 1]!++;
    }
  for (let f = 0; f < F; f++) offsets[f + 1]! += offsets[f]!;
  const next = offsets.slice();
  // As the recorder makes them.
  const token = new Uint32Array(new SharedArrayBuffer(4 * n * k));
  const value = new Float32Array(new SharedArrayBuffer(4 * n * k));
  for (let t = 0; t < n; t++)
    for (let j = 0; j < k; j++) {
      const to = next[chosen[t * k + j]!]!++;
      token[to] = t;
      value[to] = -Math.log(1 - rng.uniform()) * (j < 16 ? 2 : 0.7);
    }
  return { n_tokens: n, d_sae: F, offsets, token, value };
}

const rng = random(0);
const select = makeText(size.select, rng.stream("select"));
const judged = makeText(size.tokens, rng.stream("eval"));
const normal = (n: number, name: string): Float32Array => {
  const stream = rng.stream(name);
  return Float32Array.from({ length: n }, () => stream.normal());
};
const columns = {
  select: makeColumns(select, rng.stream("a")),
  eval: makeColumns(judged, rng.stream("b")),
};
const folder = await mkdtemp(join(tmpdir(), "describe-"));
const backend = ortBackend({ threads: 2 });
const { product } = backendProduct(backend);
const before = process.memoryUsage().rss;
let peak = before;
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss);
}, 20);
const started = performance.now();
/** Seconds of the main thread alone: what a busy machine does not inflate much. Linux only. */
const mainThread = (): number => {
  const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]) / 100;
};
const lap = (what: string): void => {
  if (!process.env.LAPS) return;
  const used = process.cpuUsage().user / 1e6;
  const wall = ((performance.now() - started) / 1000).toFixed(2);
  console.error(what, wall, `cpu ${used.toFixed(2)}, main thread ${mainThread()}`);
};
const ground = await layGround(select, judged, { product, d_vocab: size.d_vocab });
lap("ground");
let stage = "";
await describeColumns(
  {
    store: folderStore(folder),
    prefix: "bundle",
    summary: {
      id: "bench",
      model: "synthetic",
      site: "blocks.0.mlp.hook_post",
      architecture: "topk",
      d_in: size.d_in,
      k: size.k,
      seed: 0,
      tokens: 0,
    },
    revision: 1,
    W_dec: normal(size.features * size.d_in, "W_dec"),
    tokenizer: { pieces: (ids) => Array.from(ids, (id) => ({ text: ` t${id}` })) },
    ground,
    record: async (split) => {
      lap(`record ${split}`);
      const recorded = columns[split];
      columns[split] = null as never;
      return { columns: recorded };
    },
    path: {
      W_out: normal(size.d_in * size.d_model, "W_out"),
      W_U: normal(size.d_model * size.d_vocab, "W_U"),
      d_model: size.d_model,
      d_vocab: size.d_vocab,
      exact: true,
    },
    product,
  },
  {
    onProgress: (p) => {
      if (p.stage !== stage) lap(`first ${p.stage}`);
      stage = p.stage;
    },
  },
);
const seconds = (performance.now() - started) / 1000;
lap("end");
clearInterval(watch);
await rm(folder, { recursive: true });
console.log(
  JSON.stringify({
    claim: "describe 4,096 features over 1 M tokens, beyond the encoder's pass",
    ours: Number(seconds.toFixed(1)),
    peer: null,
    ratio: null,
    bar: 20,
    ok: seconds < 20,
    setting:
      `${size.features} features, k ${size.k}, ${size.tokens} eval and ${size.select} select tokens, seconds; ` +
      `peak memory ${Math.round(peak / 2 ** 20)} MB, ${Math.round(before / 2 ** 20)} MB of it the input`,
  }),
);
await backend.release();
