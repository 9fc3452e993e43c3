// The training threads as one thing: start, do a phase on all of them, stop.
import type { Worker } from "node:worker_threads";
import { startWorker } from "../base/worker.ts";
import {
  type AdamRun,
  type FeatureStep,
  type Moments,
  momentsMemory,
  type StepMemory,
  type StepShape,
  type WorkerStart,
  type WorkerTask,
} from "./step-memory.ts";

export interface StepPool {
  /** Residuals, g and the loss of the batch in memory. */
  rows(): Promise<void>;
  /** Gradients and Adam of W_dec, W_enc and b_enc. */
  features(step: FeatureStep): Promise<void>;
  moments(): Promise<Moments>;
  close(): Promise<void>;
}

/** Starts `workers` threads on the weights that are in memory. */
export async function stepPool(
  shape: StepShape,
  memory: StepMemory,
  adam: AdamRun,
  options: { workers: number; moments?: Moments },
): Promise<StepPool> {
  const { workers, moments } = options;
  const threads: Worker[] = [];
  for (let worker = 0; worker < workers; worker++) {
    const workerData: WorkerStart = { shape, memory, adam, worker, workers, moments };
    threads.push(startWorker(import.meta.url, "./step-worker", { workerData }));
  }
  const close = async (): Promise<void> => {
    await Promise.all(threads.map((thread) => thread.terminate()));
  };
  const onAll = async (task?: WorkerTask): Promise<void> => {
    const answers = threads.map(answer);
    if (task) for (const thread of threads) thread.postMessage(task);
    await Promise.all(answers);
  };
  try {
    await onAll();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    rows: () => onAll({ task: "rows" }),
    features: (step) => onAll({ task: "features", step }),
    async moments() {
      const into = momentsMemory(shape);
      await onAll({ task: "moments", into });
      return into;
    },
    close,
  };
}

/** The thread's next message, or its failure. */
function answer(thread: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown): void => {
      thread.off("message", onMessage);
      thread.off("error", onError);
      thread.off("exit", onExit);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onMessage = (): void => done();
    const onError = (error: unknown): void => done(error);
    const onExit = (code: number): void => done(new Error(`a training thread ended (${code})`));
    thread.on("message", onMessage);
    thread.on("error", onError);
    thread.on("exit", onExit);
  });
}
