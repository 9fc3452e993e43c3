// Reads prompts for the server, in a thread of its own: ONNX Runtime blocks the thread it runs on.
import type { Worker } from "node:worker_threads";
import type { Piece } from "../analysis/page.ts";
import { type ErrorDetails, fail, MicrographiaError } from "../base/errors.ts";
import { startWorker } from "../base/worker.ts";

export interface PromptAsk {
  /** What the model is found by: its name here, a folder, a hub id. */
  model: string;
  dictionary: string;
  /** Instead of a dictionary: the values of the site's own neurons above a threshold. */
  neurons?: { site: string; threshold: number };
  text: string;
}

export interface Reading {
  tokens: {
    id: number;
    piece: Piece;
    start: number;
    end: number;
    /** Every active feature, in no particular order. */
    active: { index: number; value: number }[];
    loss: number | null;
    expected: { piece: Piece; p: number }[];
  }[];
  windows: number;
}

export interface PromptReader {
  /** Errors: `prompt/too-long`, `prompt/crashed`, `request/busy`, and those of loading. */
  read(ask: PromptAsk): Promise<Reading>;
  close(): Promise<void>;
}

export interface ToReader extends PromptAsk {
  id: number;
  /** Folder or file of the model. */
  modelFolder: string;
  /** The project folder. */
  folder: string;
  threads?: number;
}

export type FromReader =
  | { id: number; reading: Reading }
  | { id: number; error: { code: string; message: string; details: ErrorDetails } };

export interface ReaderOptions {
  folder: string;
  modelFolder: (model: string) => Promise<string>;
  threads?: number;
  start?: () => Worker;
}

/** More would only wait for each other. */
const maxWaiting = 16;

/** The thread starts with the first prompt; when it crashes, the next prompt starts another. */
export function promptReader({
  folder,
  modelFolder,
  threads,
  start = () => startWorker(import.meta.url, "./prompt-worker"),
}: ReaderOptions): PromptReader {
  const waiting = new Map<
    number,
    { resolve: (reading: Reading) => void; reject: (error: unknown) => void }
  >();
  let worker: Worker | undefined;
  let next = 0;
  let asked = 0;

  const crashed = (from: Worker, why: string): void => {
    if (worker !== from) return;
    worker = undefined;
    const error = new MicrographiaError("prompt/crashed", "reading the prompt failed", {
      got: why,
      hint: "try again: a new reader starts with the next prompt",
    });
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };

  const open = (): Worker => {
    const made = start();
    made.on("message", (message: FromReader) => {
      const by = waiting.get(message.id);
      waiting.delete(message.id);
      if ("reading" in message) by?.resolve(message.reading);
      else {
        const { code, message: text, details } = message.error;
        by?.reject(new MicrographiaError(code, text, details));
      }
    });
    made.on("error", (error) => crashed(made, error.message));
    made.on("exit", (code) => crashed(made, `exit code ${code}`));
    made.unref();
    return made;
  };

  const send = async (ask: PromptAsk): Promise<Reading> => {
    const place = { modelFolder: await modelFolder(ask.model), folder, threads };
    const message: ToReader = { ...ask, ...place, id: next++ };
    worker ??= open();
    const to = worker;
    return new Promise<Reading>((resolve, reject) => {
      waiting.set(message.id, { resolve, reject });
      to.postMessage(message);
    });
  };

  return {
    async read(ask) {
      if (asked >= maxWaiting)
        fail("request/busy", "too many prompts are waiting", { hint: "try again in a moment" });
      asked++;
      try {
        return await send(ask);
      } finally {
        asked--;
      }
    },
    async close() {
      const last = worker;
      worker = undefined;
      if (last === undefined) return;
      // Ending a thread inside a run of ONNX Runtime aborts the process: it is asked to end itself.
      last.postMessage("close");
      await new Promise<void>((resolve) => last.once("exit", () => resolve()));
    },
  };
}
