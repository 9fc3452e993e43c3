// Who may write here: one process a folder, and nobody waits for a process that is gone.
import { readFileSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fail } from "../base/errors.ts";

export interface Lock {
  readonly path: string;
  release(): Promise<void>;
}

export interface Holder {
  pid: number;
  host: string;
  /** Start of the process, in the system's own ticks: pids are used again. */
  started: string | null;
}

/** An unreadable lock is one that is being written, unless it has been so for this long. */
const writingMs = 3000;

/** Refuses with `workspace/locked` when another live process holds it, after `waitMs`. */
export async function acquireLock(path: string, { waitMs = 0 } = {}): Promise<Lock> {
  await mkdir(dirname(path), { recursive: true });
  const deadline = Date.now() + waitMs;
  for (;;) {
    if (await create(path)) return held(path);
    const holder = await holderOf(path);
    if (holder === undefined) {
      await removeStale(path);
      continue;
    }
    // pid 0: it is being written at this moment, and is readable or stale soon.
    if (Date.now() >= deadline && holder.pid !== 0)
      fail("workspace/locked", `process ${holder.pid} is writing here`, {
        where: dirname(path),
        got: `pid ${holder.pid} on ${holder.host}`,
        hint: "stop that process, or choose another folder with --out",
      });
    await sleep(50);
  }
}

/** The live process that holds the lock; undefined when there is none. */
export async function holderOf(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const holder = parseHolder(text);
  if (holder !== undefined) return isAlive(holder) ? holder : undefined;
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => writingMs,
  );
  return age < writingMs ? { pid: 0, host: hostname(), started: null } : undefined;
}

async function create(path: string): Promise<boolean> {
  const file = await open(path, "wx").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EEXIST") return undefined;
    throw cause;
  });
  if (file === undefined) return false;
  try {
    const me: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
    await file.writeFile(`${JSON.stringify(me)}\n`);
  } finally {
    await file.close();
  }
  return true;
}

// Many may find the same stale lock, and the first of them make a fresh one: only who holds the second
// file may remove the first, and looks once more before it does.
async function removeStale(path: string): Promise<void> {
  const guard = `${path}.takeover`;
  if (!(await create(guard))) {
    const age = await stat(guard).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > writingMs) await rm(guard, { force: true });
    await sleep(5);
    return;
  }
  try {
    if ((await holderOf(path)) === undefined) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

function held(path: string): Lock {
  let released = false;
  const onExit = (): void => rmSync(path, { force: true });
  process.on("exit", onExit);
  return {
    path,
    async release() {
      if (released) return;
      released = true;
      process.off("exit", onExit);
      await rm(path, { force: true });
    },
  };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Holder;
    if (!Number.isSafeInteger(pid) || pid <= 0 || typeof host !== "string") return undefined;
    return { pid, host, started: typeof started === "string" ? started : null };
  } catch {
    return undefined;
  }
}

function isAlive({ pid, host, started }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

/** Field 22 of /proc/<pid>/stat; null where there is no such file. */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
