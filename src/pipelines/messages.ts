// What the runner and its child say to each other over IPC.
import type { LoggedEvent } from "../workspace/events.ts";
import type { Problem } from "../workspace/run-state.ts";

export interface StartMessage {
  type: "start";
  id: string;
  name: string;
  input: unknown;
  /** Name → hash of what the input only names. */
  made_from?: Readonly<Record<string, string>>;
  folder: string;
  threads?: number;
}

export type ToChild = StartMessage | { type: "stop" };

export interface Outcome {
  status: "done" | "failed" | "stopped";
  result: unknown;
  problem: Problem | null;
  /** Peak resident memory of the process that did the work. */
  memory_bytes: number;
}

export type FromChild =
  | { type: "event"; event: LoggedEvent }
  | { type: "outcome"; outcome: Outcome };

export const exitCodes = { done: 0, failed: 1, stopped: 130 } as const;
