// Opens a project folder to the browser: the app and its data on 127.0.0.1, and the jobs it may stop.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fail, isError } from "../base/errors.ts";
import { type RunningJob, startJob } from "../pipelines/runner.ts";
import type { LoggedEvent } from "../workspace/events.ts";
import type { Lock } from "../workspace/lock.ts";
import { packageRoot, packageVersion } from "../workspace/package.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { createApp } from "./app.ts";
import { listen } from "./listen.ts";
import { modelShelf } from "./models.ts";
import { promptReader } from "./prompt.ts";

export interface ServeOptions {
  folder: string;
  port?: number;
  threads?: number;
  /** Refuse with `workspace/locked` instead of only reading. */
  mustWrite?: boolean;
  web?: string;
}

export interface RunningServer {
  readonly url: string;
  /** With the token, for whoever started it. */
  readonly privateUrl: string;
  readonly port: number;
  readonly token: string;
  readonly workspace: Workspace;
  /** Why nothing can be started; null when it can. */
  readonly readOnly: string | null;
  start(
    name: string,
    input: unknown,
    options?: { onEvent?: (event: LoggedEvent) => void },
  ): Promise<RunningJob>;
  /** Stops the jobs, lets them drain, and closes. */
  close(): Promise<void>;
}

/** Errors: `workspace/folder`, `workspace/locked`, `server/port`. */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { folder, port, threads, mustWrite = false } = options;
  const workspace = await openWorkspace(folder);
  const { lock, readOnly } = await lockOrRead(workspace, mustWrite);
  const jobs = new Map<string, { job: RunningJob; startedAt: number }>();
  const token = randomBytes(16).toString("base64url");
  const prompt = promptReader({
    folder: workspace.folder,
    modelFolder: (reference) => modelShelf(workspace.folder).find(reference),
    threads,
  });
  const app = createApp({
    workspace,
    token,
    version: packageVersion(),
    readOnly,
    prompt,
    web: options.web ?? join(packageRoot, "dist", "web"),
    jobs: {
      startedAt: (run) => jobs.get(run)?.startedAt,
      stop(run) {
        jobs.get(run)?.job.stop();
        return jobs.has(run);
      },
    },
  });
  const bound = await listen((request, env) => app.fetch(request, env), { port }).catch(
    async (error) => {
      await lock?.release();
      throw error;
    },
  );
  const url = `http://127.0.0.1:${bound.port}/`;

  return {
    url,
    privateUrl: `${url}?token=${token}`,
    port: bound.port,
    token,
    workspace,
    readOnly,
    async start(name, input, { onEvent } = {}) {
      if (readOnly !== null) fail("workspace/read-only", readOnly, { where: workspace.folder });
      const startedAt = Date.now();
      const job = await startJob(name, input, { workspace, threads, onEvent });
      if (!job.known) jobs.set(job.id, { job, startedAt });
      void job.done.then(() => jobs.delete(job.id));
      return job;
    },
    async close() {
      for (const { job } of jobs.values()) job.stop();
      await Promise.all([...jobs.values()].map(({ job }) => job.done));
      await prompt.close();
      // Pages that listen to a run would keep it open.
      bound.server.closeAllConnections();
      await new Promise<void>((resolve) => bound.server.close(() => resolve()));
      await lock?.release();
    },
  };
}

async function lockOrRead(
  workspace: Workspace,
  mustWrite: boolean,
): Promise<{ lock: Lock | undefined; readOnly: string | null }> {
  try {
    return { lock: await workspace.lock(), readOnly: null };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const may = isError(error, "workspace/locked") || code === "EACCES" || code === "EROFS";
    if (mustWrite || !may) throw error;
    const why = isError(error) ? error.message : "this folder may not be written";
    return { lock: undefined, readOnly: `${why}: this server only reads` };
  }
}
