// The record of one run on disk: events appended, state reduced, a snapshot for whoever only looks.
import { getText, putJson, type Store } from "../storage/store.ts";
import { type LoggedEvent, LoggedEventSchema, type RunEvent } from "./events.ts";
import { layout } from "./layout.ts";
import { emptyFold, type RunFold, reduce, stateAt } from "./reduce.ts";

export interface RunLog {
  readonly id: string;
  /** Where it stands with everything that was appended. */
  fold(): RunFold;
  /** Queued; a write that fails is thrown by `flush`. */
  append(event: RunEvent): LoggedEvent;
  /** Resolves when everything appended so far is on disk, with the snapshot. */
  flush(): Promise<void>;
}

/** The snapshot is for whoever only looks; the events are the truth. */
const snapshotMs = 1000;

/** Continues the log of `id` where it ends. `kind` is the job's name. */
export async function openRunLog(
  store: Store,
  { id, kind, now = Date.now }: { id: string; kind: string; now?: () => number },
): Promise<RunLog> {
  const key = layout.events(id);
  const old = await readText(store, key);
  let fold = foldLines(emptyFold(id, kind), old);
  // A kill in the middle of a line: what follows must not stick to it.
  let waiting = old === "" || old.endsWith("\n") ? "" : "\n";
  let writing: Promise<void> = Promise.resolve();
  let scheduled = false;
  let problem: unknown;

  let snapshotAt = 0;

  const write = async (last: boolean): Promise<void> => {
    scheduled = false;
    const text = waiting;
    waiting = "";
    if (text !== "") await store.append(key, new TextEncoder().encode(text));
    if (!last && now() - snapshotAt < snapshotMs) return;
    snapshotAt = now();
    await putJson(store, layout.state(id), stateAt(fold, now()));
  };
  const schedule = (last: boolean): void => {
    if (scheduled && !last) return;
    scheduled = true;
    writing = writing
      .then(() => write(last))
      .catch((error) => {
        problem ??= error;
      });
  };

  return {
    id,
    fold: () => fold,
    append(event) {
      const logged = { at: now(), ...event } as LoggedEvent;
      fold = reduce(fold, logged);
      waiting += `${JSON.stringify(logged)}\n`;
      schedule(false);
      return logged;
    },
    async flush() {
      schedule(true);
      await writing;
      if (problem === undefined) return;
      const thrown = problem;
      problem = undefined;
      throw thrown;
    },
  };
}

/** Reads a log from the start and then only what is new: what the server tails with. */
export function runReader(store: Store, id: string, kind: string) {
  const key = layout.events(id);
  let fold = emptyFold(id, kind);
  let offset = 0;
  return {
    fold: () => fold,
    /** True when there was something new. */
    async read(): Promise<boolean> {
      const size = (await store.size(key)) ?? 0;
      if (size < offset) {
        fold = emptyFold(id, kind);
        offset = 0;
      }
      if (size === offset) return false;
      const bytes = await store.getRange(key, offset, size);
      const end = bytes.lastIndexOf(10) + 1;
      if (end === 0) return false;
      fold = foldLines(fold, new TextDecoder().decode(bytes.subarray(0, end)));
      offset += end;
      return true;
    },
  };
}

export type RunReader = ReturnType<typeof runReader>;

/** Lines that cannot be read (cut off, or from a newer version) say nothing. */
export function foldLines(fold: RunFold, text: string): RunFold {
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const event = parseLine(line);
    if (event !== undefined) fold = reduce(fold, event);
  }
  return fold;
}

function parseLine(line: string): LoggedEvent | undefined {
  try {
    const parsed = LoggedEventSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

async function readText(store: Store, key: string): Promise<string> {
  return (await store.size(key)) === undefined ? "" : getText(store, key);
}
