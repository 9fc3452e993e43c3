// The thread that owns the model and the dictionary of the prompt page, and reads texts with them.
import { parentPort } from "node:worker_threads";
import { checkProvenance, provenanceOf } from "../analysis/provenance.ts";
import { pieceOf } from "../analysis/strips.ts";
import { check, isError } from "../base/errors.ts";
import { openCoder } from "../dictionaries/coder.ts";
import type { Dictionary } from "../dictionaries/dictionary.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import { runWithCache } from "../hooks/index.ts";
import { type Model, openModel, siteWidth } from "../models/index.ts";
import { rowLength, textLength } from "../pipelines/rows.ts";
import { type Backend, ortBackend } from "../runtime/index.ts";
import { folderStore } from "../storage/folder.ts";
import { tensor } from "../tensor/tensor.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { layout } from "../workspace/layout.ts";
import type { FromReader, Reading, ToReader } from "./prompt.ts";
import { expectedTokens, logSumExp } from "./prompt-expected.ts";
import { promptWindows } from "./prompt-windows.ts";

/** About a page and a half of a book a second; more belongs into a job. */
const maxWindows = 64;
const nExpected = 5;

interface Session {
  key: string;
  model: Model;
  tokenizer: Tokenizer;
  site: string;
  units: Units;
}

/** What reads a site's values: a dictionary, or nothing in between. */
interface Units {
  /** acts [n, d] → the active units of each token. */
  active(acts: Float32Array): Promise<{ index: number; value: number }[][]>;
  release(): Promise<void>;
}

let backend: Backend | undefined;
let session: Session | undefined;

const port = parentPort!;
let queue: Promise<void> = Promise.resolve();
port.on("message", (message: ToReader | "close") => {
  queue = queue.then(() => (message === "close" ? close() : answer(message)));
});

async function answer(message: ToReader): Promise<void> {
  const { id } = message;
  try {
    say({ id, reading: await read(await open(message), message.text) });
  } catch (error) {
    const { code, where, got, wanted, hint } = isError(error)
      ? error
      : {
          code: "prompt/failed",
          where: undefined,
          got: undefined,
          wanted: undefined,
          hint: undefined,
        };
    const text = error instanceof Error ? error.message : String(error);
    say({ id, error: { code, message: text, details: { where, got, wanted, hint } } });
  }
}

function say(message: FromReader): void {
  port.postMessage(message);
}

async function close(): Promise<void> {
  await session?.units.release();
  await backend?.release();
  port.close();
}

/** The last model and dictionary stay open. */
async function open({ threads, ...of }: ToReader): Promise<Session> {
  const { modelFolder, folder, dictionary, neurons } = of;
  backend ??= ortBackend({ threads, cacheBytes: 2 ** 28 });
  const prefix = layout.dictionary(dictionary);
  const store = folderStore(folder);
  // A dictionary that is still being trained has no manifest: when it comes, the weights are other ones.
  const sizes = await Promise.all(
    ["cfg.json", "manifest.json"].map((name) => store.size(`${prefix}/${name}`)),
  );
  const key = [modelFolder, prefix, JSON.stringify(neurons), ...sizes].join("\n");
  if (session?.key === key) return session;
  const model = await openModel(modelFolder);
  check(model.tokenizer !== undefined, "prompt/no-tokenizer", "this model has no tokenizer", {
    where: modelFolder,
  });
  const { tokenizer } = model;
  if (neurons !== undefined) {
    await letGo();
    const { site, threshold } = neurons;
    const units = neuronUnits(siteWidth(model.config, site), threshold);
    session = { key, model, tokenizer, site, units };
    return session;
  }
  const loaded = await loadDictionary(store, prefix);
  const { site } = loaded.metadata;
  check(site !== undefined, "prompt/no-site", "this dictionary does not say where it was learned");
  checkProvenance(loaded.metadata, provenanceOf(model, tokenizer), { where: dictionary });
  await letGo();
  const units = await dictionaryUnits(loaded, backend);
  session = { key, model, tokenizer, site, units };
  return session;
}

async function letGo(): Promise<void> {
  await session?.units.release();
  session = undefined;
}

async function dictionaryUnits(dictionary: Dictionary, on: Backend): Promise<Units> {
  const coder = await openCoder(dictionary, on);
  return {
    async active(acts) {
      const { index, value, k, n_tokens } = await coder.encode(acts);
      const slots = Array.from(index, (f, p) => ({ index: f, value: value[p]! }));
      return Array.from({ length: n_tokens }, (_, t) =>
        slots.slice(t * k, (t + 1) * k).filter((one) => one.value > 0),
      );
    },
    release: () => coder.release(),
  };
}

function neuronUnits(d: number, threshold: number): Units {
  return {
    async active(acts) {
      return Array.from({ length: acts.length / d }, (_, t) =>
        Array.from(acts.subarray(t * d, (t + 1) * d), (value, index) => ({ index, value })).filter(
          ({ value }) => value > threshold,
        ),
      );
    },
    release: async () => {},
  };
}

async function read({ model, tokenizer, units, site }: Session, text: string): Promise<Reading> {
  // As the rows that the figures were taken on.
  const n_ctx = rowLength(model.config);
  const { before } = tokenizer.policy;
  const { ids, chars } = tokenizer.encodeWithOffsets(text);
  const length = textLength(n_ctx, tokenizer);
  const windows = promptWindows(ids.length, length);
  check(windows.length <= maxWindows, "prompt/too-long", "this text is too long to read here", {
    got: `${ids.length} tokens`,
    wanted: `at most ${(maxWindows + 1) * Math.floor(length / 2)} tokens`,
    hint: "send a part of it",
  });
  const pieces = tokenizer.pieces(ids);
  const tokens: Reading["tokens"] = Array.from(ids, (id, i) => ({
    id,
    piece: pieces[i]!,
    start: chars[2 * i]!,
    end: chars[2 * i + 1]!,
    active: [],
    loss: null,
    expected: [],
  }));
  const { d_vocab } = model.config;
  const d = siteWidth(model.config, site);
  for (const { start, end, keep } of windows) {
    // Always whole windows: one program for all texts. What follows a token does not change it.
    const padded = new Int32Array(n_ctx).fill(tokenizer.eot);
    padded.set(before.slice(0, n_ctx - length));
    padded.set(ids.subarray(start, end), n_ctx - length);
    const { cache, logits } = await runWithCache(
      model,
      backend!,
      tensor("int32", [1, n_ctx], padded),
      { sites: [site], logits: true },
    );
    const placeOf = (t: number): number => t - start + n_ctx - length;
    const acts = cache[site]!.data.subarray(placeOf(keep) * d, placeOf(end) * d) as Float32Array;
    const active = await units.active(acts);
    for (let t = keep; t < end; t++) {
      tokens[t]!.active = active[t - keep]!;
      const row = (at: number): Float32Array =>
        logits!.data.subarray(placeOf(at) * d_vocab, (placeOf(at) + 1) * d_vocab);
      if (t > start) tokens[t]!.loss = logSumExp(row(t - 1)) - row(t - 1)[ids[t]!]!;
      const expected = expectedTokens(row(t), nExpected);
      tokens[t]!.expected = expected.map(({ id, p }) => ({ piece: pieceOf(tokenizer, id), p }));
    }
  }
  return { tokens, windows: windows.length };
}
