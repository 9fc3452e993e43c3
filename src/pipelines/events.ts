// How a job's words become events: the context that every job is handed.
import type { Context, Progress } from "../base/progress.ts";
import type { Store } from "../storage/store.ts";
import type { RunEvent } from "../workspace/events.ts";
import type { Workspace } from "../workspace/workspace.ts";

export interface JobContext extends Context {
  /** Becomes a `stage` event and, with metrics, a `metric` event; as often as you like. */
  onProgress: (progress: Progress) => void;
  /** Work stops between steps when it is aborted: see `throwIfStopped`. */
  signal: AbortSignal;
  onEvent: (event: RunEvent) => void;
  workspace: Workspace;
  store: Store;
  /** The run's id: checkpoints go below `cache/<run>/`. */
  run: string;
  threads?: number;
}

/** A job: the result is JSON, goes into the run's manifest and to whoever waits for it. */
export type Job<Input = unknown, Result = unknown> = (
  input: Input,
  context: JobContext,
) => Promise<Result>;

/** What a page can show; more often would only fill the log. */
const betweenMs = 200;

/** Progress → events. Numbers in between are left out, first and last ones are not. */
export function progressEvents(
  onEvent: (event: RunEvent) => void,
  now: () => number = Date.now,
): (progress: Progress) => void {
  const said = new Map<string, number>();
  return ({ stage, done, total, unit, metrics }) => {
    const last = said.get(stage);
    const over = done >= total;
    if (!over && last !== undefined && now() - last < betweenMs) return;
    said.set(stage, now());
    onEvent({ type: "stage", name: stage, state: over ? "done" : "running", done, total, unit });
    if (metrics !== undefined) onEvent({ type: "metric", tokens: done, values: { ...metrics } });
  };
}
