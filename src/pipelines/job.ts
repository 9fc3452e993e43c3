// The child process in which one job runs: starts, says what happens, drains when asked to stop.
import { join } from "node:path";
import { isError } from "../base/errors.ts";
import { writeManifest } from "../workspace/artifact.ts";
import { layout } from "../workspace/layout.ts";
import { acquireLock } from "../workspace/lock.ts";
import { problemOf } from "../workspace/problem.ts";
import { openRunLog, type RunLog } from "../workspace/run-log.ts";
import { openWorkspace } from "../workspace/workspace.ts";
import { type JobContext, progressEvents } from "./events.ts";
import {
  exitCodes,
  type FromChild,
  type Outcome,
  type StartMessage,
  type ToChild,
} from "./messages.ts";
import { findJob } from "./registry.ts";

const stopping = new AbortController();
/** How long a predecessor, whose parent died, may need to drain. */
const waitMs = 15_000;
const memoryMs = 2000;
/** After the last word, what still keeps the process alive (idle threads) is left behind. */
const lingerMs = 3000;

// A signal only sets the flag: the job reads it between steps, never inside a run of the model.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => stopping.abort());
process.on("disconnect", () => stopping.abort());
process.on("message", (message: ToChild) => {
  if (message.type === "stop") stopping.abort();
  else void main(message);
});

async function main(start: StartMessage): Promise<void> {
  const outcome = await work(start).catch(
    (error): Outcome => ({
      status: "failed",
      result: null,
      problem: problemOf(error),
      memory_bytes: peakMemory(),
    }),
  );
  process.exitCode = exitCodes[outcome.status];
  await say({ type: "outcome", outcome });
  process.removeAllListeners("disconnect");
  if (process.connected) process.disconnect();
  setTimeout(() => process.exit(), lingerMs).unref();
}

async function work({ folder, threads, ...job }: StartMessage): Promise<Outcome> {
  const { id, name } = job;
  const workspace = await openWorkspace(folder);
  const { store } = workspace;
  const lock = await acquireLock(join(folder, layout.runLock(id)), { waitMs });
  try {
    const log = await openRunLog(store, { id, kind: name });
    const onEvent: JobContext["onEvent"] = (event) =>
      void say({ type: "event", event: log.append(event) });
    const timer = setInterval(
      () => onEvent({ type: "memory", bytes: peakMemory() }),
      memoryMs,
    ).unref();
    const context: JobContext = {
      onEvent,
      onProgress: progressEvents(onEvent),
      signal: stopping.signal,
      workspace,
      store,
      run: id,
      threads,
    };
    try {
      return await attempt(job, context, log);
    } finally {
      clearInterval(timer);
    }
  } finally {
    await lock.release();
  }
}

/** Runs the job to one of its three ends, and writes that end down. */
async function attempt(
  { id, name, input, made_from }: Omit<StartMessage, "folder">,
  context: JobContext,
  log: RunLog,
): Promise<Outcome> {
  const { onEvent, store } = context;
  const end = async (outcome: Omit<Outcome, "memory_bytes">): Promise<Outcome> => {
    const { status, result, problem } = outcome;
    onEvent({ type: "memory", bytes: peakMemory() });
    if (problem !== null) onEvent({ type: "failed", problem });
    onEvent({ type: "ended", status, figures: asJson(result) });
    await log.flush();
    return { ...outcome, memory_bytes: peakMemory() };
  };
  try {
    const job = await findJob(name);
    const result = asJson(await job.run(input, context));
    await log.flush();
    await writeManifest(store, layout.run(id), {
      kind: name,
      parameters: { input: asJson(input) },
      inputs: { ...made_from },
      metrics: { result },
    });
    return await end({ status: "done", result, problem: null });
  } catch (error) {
    const stopped = isError(error, "run/interrupted") || stopping.signal.aborted;
    if (stopped) return await end({ status: "stopped", result: null, problem: null });
    const problem = problemOf(error);
    // The reason must reach the caller also when it cannot be written down (a full disk).
    return await end({ status: "failed", result: null, problem }).catch(() => ({
      status: "failed" as const,
      result: null,
      problem,
      memory_bytes: peakMemory(),
    }));
  }
}

function say(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

/** Kilobytes on every platform. */
function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** NaN and typed arrays have no JSON; what is not there is null. */
function asJson(value: unknown) {
  return JSON.parse(JSON.stringify(value ?? null));
}
