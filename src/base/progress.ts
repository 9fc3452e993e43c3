// How long work tells what it is doing, and how it is asked to stop.
import { fail } from "./errors.ts";

export interface Progress {
  /** Which stage of the job this belongs to, e.g. "train". */
  stage: string;
  done: number;
  total: number;
  /** What `done` counts: "tokens", "steps", "features". */
  unit: string;
  /** Figures of this moment, e.g. `{ loss: 2.31 }`. */
  metrics?: Readonly<Record<string, number>>;
}

/** What a long function is handed by whoever runs it. */
export interface Context {
  /** Called often; must be cheap. */
  onProgress?: (progress: Progress) => void;
  /** Read between steps: work drains and throws `run/interrupted`. */
  signal?: AbortSignal;
}

/** Throws `run/interrupted` when stopping was asked for. Called between steps, never inside one. */
export function throwIfStopped(context: Context): void {
  if (context.signal?.aborted)
    fail("run/interrupted", "stopped as asked", { hint: "run the same command again to continue" });
}
