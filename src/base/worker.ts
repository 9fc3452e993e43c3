// Starts a worker thread from a sibling module, whether we run from sources or from the build.
import { Worker, type WorkerOptions } from "node:worker_threads";

/** `startWorker(import.meta.url, "./sparse-worker")`: no extension; it follows the caller's. */
export function startWorker(from: string, module: string, options: WorkerOptions = {}): Worker {
  const extension = from.slice(from.lastIndexOf(".")).replace(/[?#].*$/, "");
  const url = new URL(`${module}${extension}`, from);
  if (extension !== ".ts") return new Worker(url, options);
  // Node 20 has no type stripping: sources run through tsx, as the scripts do.
  return new Worker(
    `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`,
    { ...options, eval: true },
  );
}
