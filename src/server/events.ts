// Where runs stand, read from their logs, and told to pages as server-sent events.
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { fail } from "../base/errors.ts";
import { stateAt } from "../workspace/reduce.ts";
import { type RunReader, runReader } from "../workspace/run-log.ts";
import type { RunState } from "../workspace/run-state.ts";
import type { Workspace } from "../workspace/workspace.ts";

/** At most four a second. */
const betweenMs = 250;

export interface RunHub {
  /** Refuses with `run/unknown`. */
  state(id: string): Promise<RunState>;
  /** The newest last. */
  states(limit?: number): Promise<RunState[]>;
  readonly heartbeatMs: number;
}

export interface HubOptions {
  /** When this process started the job that works on a run, or undefined. */
  startedAt?: (id: string) => number | undefined;
  /** A silent stream says that it is alive so often. */
  heartbeatMs?: number;
  now?: () => number;
}

export function runHub(
  workspace: Workspace,
  { startedAt = () => undefined, heartbeatMs = 10_000, now = Date.now }: HubOptions = {},
): RunHub {
  const readers = new Map<string, { reader: RunReader; at: number; reading: Promise<unknown> }>();

  /** However many pages watch, the file is read once in a while. */
  const refresh = async (id: string, kind: string): Promise<RunReader> => {
    const entry = readers.get(id) ?? {
      reader: runReader(workspace.store, id, kind),
      at: 0,
      reading: Promise.resolve(),
    };
    readers.set(id, entry);
    if (now() - entry.at >= betweenMs / 2) {
      entry.at = now();
      entry.reading = entry.reading.then(() => entry.reader.read());
      entry.reading.catch(() => readers.delete(id));
    }
    await entry.reading;
    return entry.reader;
  };

  const stateOf = async ({ id, kind }: { id: string; kind: string }): Promise<RunState> => {
    const fold = (await refresh(id, kind)).fold();
    const state = stateAt(fold, now());
    const started = startedAt(id);
    // The child has not said its first word yet: what the log says is the session before.
    if (started !== undefined && (fold.began === null || fold.began < started))
      return { ...state, status: "waiting", problem: null };
    if (state.status === "running" && started === undefined && !(await workspace.isRunning(id)))
      return abandoned(fold.state);
    return state;
  };

  return {
    heartbeatMs,
    async state(id) {
      const run = await workspace.run(id);
      if (run === undefined)
        return fail("run/unknown", "there is no run with this name", { got: id.slice(0, 100) });
      return stateOf(run);
    },
    async states(limit = 20) {
      return Promise.all((await workspace.runs()).slice(-limit).map(stateOf));
    },
  };
}

/** A run whose process is gone without a word: the machine was switched off. */
function abandoned(state: RunState): RunState {
  return {
    ...state,
    status: "stopped",
    remaining_s: null,
    stages: state.stages.map((s) => (s.state === "running" ? { ...s, state: "stopped" } : s)),
  };
}

/** `event: state` with the whole RunState when it changed, `event: end` when the run is over. */
export function streamRun(c: Context, hub: RunHub, id: string): Response {
  return streamSSE(
    c,
    (stream) => tell(stream, hub, id),
    async () => undefined,
  );
}

async function tell(stream: SSEStreamingApi, hub: RunHub, id: string): Promise<void> {
  let last = "";
  let saidAt = Date.now();
  while (!stream.aborted && !stream.closed) {
    const state = await hub.state(id);
    // The clock alone is no news: pages have their own.
    const text = JSON.stringify({ ...state, elapsed_s: 0, remaining_s: 0 });
    if (text !== last) {
      last = text;
      saidAt = Date.now();
      await stream.writeSSE({ event: "state", data: JSON.stringify(state) });
    } else if (Date.now() - saidAt >= hub.heartbeatMs) {
      saidAt = Date.now();
      await stream.write(": still here\n\n");
    }
    if (state.status !== "running" && state.status !== "waiting") {
      await stream.writeSSE({ event: "end", data: JSON.stringify({ status: state.status }) });
      return;
    }
    await sleep(betweenMs);
  }
}
