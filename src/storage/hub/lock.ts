// Who downloads this blob? One process at a time; the others wait and then find it done.
import { mkdir, open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { pause } from "./requests.ts";

const heartbeatMs = 5_000;
/** A lock that was not touched for so long, or whose process is gone, belongs to nobody. */
const staleMs = 30_000;

/**
 * Runs `work` while holding the lock. Python's lock beside it (`flock`) cannot be taken from Node;
 * both may then fetch one blob, each into a file of its own, and the later rename wins with the same
 * bytes.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { signal, waitMs = 200 }: { signal?: AbortSignal; waitMs?: number } = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  while (!(await take(path))) {
    if (await isStale(path)) await rm(path, { force: true });
    else await pause(waitMs, signal);
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, heartbeatMs);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (Date.now() - found.mtimeMs > staleMs) return true;
  const owner = await readFile(path, "utf8")
    .then((text) => JSON.parse(text) as { pid?: number; host?: string })
    .catch(() => undefined);
  if (owner?.pid === undefined || owner.host !== hostname()) return false;
  return !isAlive(owner.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
