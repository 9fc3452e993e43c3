// Starts jobs in processes of their own, and stops them without tearing anything.
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fail, isError } from "../base/errors.ts";
import { hashOf, readManifest } from "../workspace/artifact.ts";
import type { LoggedEvent } from "../workspace/events.ts";
import { layout } from "../workspace/layout.ts";
import { packageVersion } from "../workspace/package.ts";
import { problemOf } from "../workspace/problem.ts";
import { openRunLog } from "../workspace/run-log.ts";
import { type Workspace, writeRequest } from "../workspace/workspace.ts";
import type { MadeFrom } from "./identity.ts";
import {
  exitCodes,
  type FromChild,
  type Outcome,
  type StartMessage,
  type ToChild,
} from "./messages.ts";
import { findJob } from "./registry.ts";

export type { Outcome } from "./messages.ts";
export { exitCodes } from "./messages.ts";

export interface RunningJob {
  /** Of the run: the same for the same job, input, and model or dictionary that the input names. */
  readonly id: string;
  /** True when the result was there already and nothing runs. */
  readonly known: boolean;
  readonly pid: number | undefined;
  /** Never rejects. */
  readonly done: Promise<Outcome>;
  /** Asks it to drain and end; it continues when it is started again. */
  stop(): void;
  /** Ends it at once. What was saved stays whole. */
  kill(): void;
}

export interface StartOptions {
  workspace: Workspace;
  threads?: number;
  onEvent?: (event: LoggedEvent) => void;
}

/**
 * The caller holds the workspace's lock. A job that was done is not done again; one that was
 * interrupted continues. Errors: `job/unknown`, `job/input`.
 */
export async function startJob(
  name: string,
  input: unknown,
  { workspace, threads, onEvent }: StartOptions,
): Promise<RunningJob> {
  const parsed = await parseInput(name, input);
  const made_from = await madeFrom(name, parsed, workspace);
  const id = runId(name, parsed, made_from);
  const known = await resultOf(workspace, id, name);
  if (known !== undefined) {
    const done = Promise.resolve(known);
    return { id, known: true, pid: undefined, done, stop: () => undefined, kill: () => undefined };
  }
  await writeRequest(workspace.store, { id, kind: name, input: parsed, now: Date.now() });
  const child = forkJob();
  const message: StartMessage = {
    type: "start",
    id,
    name,
    input: parsed,
    made_from,
    folder: workspace.folder,
    threads,
  };
  const done = outcomeOf(child, { id, name, workspace, onEvent });
  send(child, message);
  return {
    id,
    known: false,
    pid: child.pid,
    done,
    stop: () => send(child, { type: "stop" }),
    kill: () => void child.kill("SIGKILL"),
  };
}

export function runId(name: string, input: unknown, made_from: MadeFrom = {}): string {
  const named = Object.keys(made_from).length === 0 ? undefined : made_from;
  const version = packageVersion();
  return `${name}-${hashOf({ name, input, version, made_from: named }).slice(0, 10)}`;
}

/** What cannot be found is nothing here: the job says in its log why it failed. */
async function madeFrom(name: string, input: unknown, workspace: Workspace): Promise<MadeFrom> {
  const { madeFrom: ask } = await findJob(name);
  try {
    return (await ask?.(input, workspace)) ?? {};
  } catch (error) {
    if (isError(error)) return {};
    throw error;
  }
}

/** The outcome of a run that was done before; undefined when there is none, or it is damaged. */
export async function resultOf(
  { store }: Workspace,
  id: string,
  kind: string,
): Promise<Outcome | undefined> {
  try {
    const { metrics } = await readManifest(store, layout.run(id), { kind });
    return { status: "done", result: metrics.result ?? null, problem: null, memory_bytes: 0 };
  } catch (error) {
    if (isError(error)) return undefined;
    throw error;
  }
}

async function parseInput(name: string, input: unknown): Promise<unknown> {
  const { input: schema } = await findJob(name);
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  return fail("job/input", `${name}: ${issue.path.join(".")}: ${issue.message}`, {
    where: name,
    got: issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown>)?.[key],
      input,
    ),
  });
}

function forkJob(): ChildProcess {
  const fromSources = import.meta.url.endsWith(".ts");
  const path = fileURLToPath(new URL(fromSources ? "./job.ts" : "./job.js", import.meta.url));
  const tsx = (): string => pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  return fork(path, [], {
    execArgv: fromSources ? ["--import", tsx()] : [],
    // A Ctrl-C in the terminal reaches the child too; it takes it as "stop".
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
}

function send(child: ChildProcess, message: ToChild): void {
  // A child that is gone has told its outcome, or `exit` tells it.
  if (child.connected) child.send(message, () => undefined);
}

interface Told {
  id: string;
  name: string;
  workspace: Workspace;
  onEvent?: (event: LoggedEvent) => void;
}

function outcomeOf(child: ChildProcess, told: Told): Promise<Outcome> {
  let outcome: Outcome | undefined;
  let memory_bytes = 0;
  let tail = "";
  const listen = (chunk: Buffer): void => {
    tail = (tail + chunk.toString()).slice(-2000);
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  child.on("message", (message: FromChild) => {
    if (message.type === "outcome") outcome = message.outcome;
    else {
      if (message.event.type === "memory") memory_bytes = message.event.bytes;
      told.onEvent?.(message.event);
    }
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(lost({ memory_bytes, detail: error.message })));
    child.on("close", (code, signal) => {
      if (outcome !== undefined) return resolve(outcome);
      if (code === exitCodes.stopped)
        return resolve({ status: "stopped", result: null, problem: null, memory_bytes });
      const detail = `${signal ?? `exit code ${code}`}${tail === "" ? "" : `: ${tail.trim()}`}`;
      const ended = lost({ memory_bytes, detail });
      writeEnd(told, ended).then(
        () => resolve(ended),
        () => resolve(ended),
      );
    });
  });
}

function lost({ memory_bytes, detail }: { memory_bytes: number; detail: string }): Outcome {
  let problem: Outcome["problem"] = null;
  try {
    fail("job/died", "the process that did the work is gone", {
      got: detail,
      hint: "run the same command again: it continues from the last checkpoint",
    });
  } catch (error) {
    problem = problemOf(error);
  }
  return { status: "failed", result: null, problem, memory_bytes };
}

/** The child could not say how it ended: its page must not show it as running. */
async function writeEnd({ id, name, workspace, onEvent }: Told, outcome: Outcome): Promise<void> {
  const log = await openRunLog(workspace.store, { id, kind: name });
  if (log.fold().state.status !== "running") return;
  const said = [
    log.append({ type: "failed", problem: outcome.problem! }),
    log.append({ type: "ended", status: "failed" }),
  ];
  for (const event of said) onEvent?.(event);
  await log.flush();
}
