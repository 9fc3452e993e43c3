// The thread that owns the model and the dictionary of the prompt page, and reads texts with them.
import { parentPort } from "node:worker_threads";
import { check, isError } from "../base/errors.ts";
import { type Coder, openCoder } from "../dictionaries/coder.ts";
import { loadDictionary } from "../dictionaries/saelens.ts";
import { runWithCache } from "../hooks/index.ts";
import { loadModel, type Model } from "../models/index.ts";
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
  coder: Coder;
  site: string;
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
  await session?.coder.release();
  await backend?.release();
  port.close();
}

/** The last model and dictionary stay open. */
async function open({ modelFolder, folder, dictionary, threads }: ToReader): Promise<Session> {
  backend ??= ortBackend({ threads, cacheBytes: 2 ** 28 });
  const prefix = layout.dictionary(dictionary);
  const store = folderStore(folder);
  // A dictionary that is still being trained has no manifest: when it comes, the weights are other ones.
  const sizes = await Promise.all(
    ["cfg.json", "manifest.json"].map((name) => store.size(`${prefix}/${name}`)),
  );
  const key = [modelFolder, prefix, ...sizes].join("\n");
  if (session?.key === key) return session;
  const model = await loadModel(folderStore(modelFolder));
  const loaded = await loadDictionary(store, prefix);
  const { model_hash, site } = loaded.metadata;
  check(model.tokenizer !== undefined, "prompt/no-tokenizer", "this model has no tokenizer", {
    where: modelFolder,
  });
  check(site !== undefined, "prompt/no-site", "this dictionary does not say where it was learned");
  check(
    model_hash === undefined || model_hash === model.hash,
    "dictionary/model",
    "this dictionary was learned on another model",
    { where: dictionary, got: model_hash, wanted: model.hash },
  );
  await session?.coder.release();
  session = undefined;
  const coder = await openCoder(loaded, backend);
  session = { key, model, tokenizer: model.tokenizer, coder, site };
  return session;
}

async function read({ model, tokenizer, coder, site }: Session, text: string): Promise<Reading> {
  const { n_ctx } = model.config;
  const { ids, chars } = tokenizer.encodeWithOffsets(text);
  const windows = promptWindows(ids.length, n_ctx);
  check(windows.length <= maxWindows, "prompt/too-long", "this text is too long to read here", {
    got: `${ids.length} tokens`,
    wanted: `at most ${(maxWindows + 1) * Math.floor(n_ctx / 2)} tokens`,
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
  for (const { start, end, keep } of windows) {
    // Always whole windows: one program for all texts. What follows a token does not change it.
    const padded = new Int32Array(n_ctx).fill(tokenizer.eot);
    padded.set(ids.subarray(start, end));
    const { cache, logits } = await runWithCache(
      model,
      backend!,
      tensor("int32", [1, n_ctx], padded),
      { sites: [site], logits: true },
    );
    const d_in = coder.dictionary.d_in;
    const acts = cache[site]!.data.subarray((keep - start) * d_in, (end - start) * d_in);
    const { index, value, k } = await coder.encode(acts);
    for (let t = keep; t < end; t++) {
      for (let p = (t - keep) * k; p < (t - keep + 1) * k; p++)
        if (value[p]! > 0) tokens[t]!.active.push({ index: index[p]!, value: value[p]! });
      const { d_vocab } = model.config;
      const row = (at: number): Float32Array =>
        logits!.data.subarray((at - start) * d_vocab, (at - start + 1) * d_vocab);
      if (t > start) tokens[t]!.loss = logSumExp(row(t - 1)) - row(t - 1)[ids[t]!]!;
      const expected = expectedTokens(row(t), nExpected);
      const shown = tokenizer.pieces(expected.map(({ id }) => id));
      tokens[t]!.expected = expected.map(({ p }, i) => ({ piece: shown[i]!, p }));
    }
  }
  return { tokens, windows: windows.length };
}
