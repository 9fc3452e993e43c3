import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { layout } from "../workspace/layout.ts";
import { acquireLock } from "../workspace/lock.ts";
import { openRunLog, type RunLog } from "../workspace/run-log.ts";
import { openWorkspace, type Workspace, writeRequest } from "../workspace/workspace.ts";
import { type HubOptions, runHub, streamRun } from "./events.ts";

const id = "demo-1";
let folder: string;
let workspace: Workspace;
let log: RunLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-events-"));
  workspace = await openWorkspace(folder);
  await writeRequest(workspace.store, { id, kind: "demo", input: {}, now: 1 });
  log = await openRunLog(workspace.store, { id, kind: "demo" });
  const stages = [{ name: "train", total: 10, unit: "tokens" }];
  log.append({ type: "run-started", model: "m", site: "s", seed: 0, total_tokens: 10, stages });
  log.append({ type: "stage", name: "train", state: "running", done: 4 });
  await log.flush();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* chunks(options: HubOptions): AsyncGenerator<string> {
  const hub = runHub(workspace, options);
  const app = new Hono().get("/", (c) => streamRun(c, hub, id));
  const reply = await app.request("/");
  for await (const chunk of reply.body!) yield new TextDecoder().decode(chunk);
}

describe("a run that is watched", () => {
  test("is running while a process holds it, and stopped when that is gone", async () => {
    const hub = runHub(workspace);
    expect(await hub.state(id)).toMatchObject({
      status: "stopped",
      remaining_s: null,
      stages: [{ name: "train", state: "stopped", done: 4 }],
    });
    const lock = await acquireLock(join(folder, layout.runLock(id)));
    expect((await hub.state(id)).status).toBe("running");
    await lock.release();
  });

  test("waits when a job was started that has not spoken yet", async () => {
    const later = Date.now() + 5000;
    expect((await runHub(workspace, { startedAt: () => later }).state(id)).status).toBe("waiting");
    expect((await runHub(workspace, { startedAt: () => 1 }).state(id)).status).toBe("running");
  });

  test("is told whole at once, then silence is broken by heartbeats, then the end", async () => {
    const told: string[] = [];
    for await (const chunk of chunks({ startedAt: () => 1, heartbeatMs: 400 })) {
      told.push(chunk);
      if (told.filter((text) => text.startsWith(":")).length === 2) {
        log.append({ type: "ended", status: "done" });
        await log.flush();
      }
    }
    expect(told[0]).toMatch(/^event: state\ndata: \{.*"done":4.*\}\n\n$/);
    expect(told.slice(1, 3)).toEqual([": still here\n\n", ": still here\n\n"]);
    expect(told.at(-2)).toContain('"status":"done"');
    expect(told.at(-1)).toBe('event: end\ndata: {"status":"done"}\n\n');
  });
});
