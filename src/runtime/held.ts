// How much memory does this process hold of its own? Pages of mapped files belong to the system, which can drop them.
import { readFileSync } from "node:fs";

/** Bytes; where the system does not tell the two apart, mapped pages count too. */
export function heldBytes(): number {
  if (process.platform === "linux")
    try {
      const anonymous = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
      if (anonymous !== null) return 1024 * Number(anonymous[1]);
    } catch {
      // Without /proc, as in some containers: the plain figure.
    }
  return process.memoryUsage.rss();
}
