import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readManifest } from "../workspace/artifact.ts";
import type { LoggedEvent } from "../workspace/events.ts";
import { layout } from "../workspace/layout.ts";
import { openRunLog } from "../workspace/run-log.ts";
import { openWorkspace, type Workspace } from "../workspace/workspace.ts";
import { runId, startJob } from "./runner.ts";
import { writeTinyModel } from "./tiny-model.fixture.ts";

let folder: string;
let workspace: Workspace;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-runner-"));
  workspace = await openWorkspace(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function stateOf(id: string) {
  return (await openRunLog(workspace.store, { id, kind: "rehearsal" })).fold().state;
}

/** Starts, and stops it once it has counted that far. */
async function stoppedAt(step: number, how: "stop" | "SIGINT" | "SIGTERM" | "kill") {
  const input = { steps: 40, step_ms: 25 };
  let asked = false;
  const job = await startJob("rehearsal", input, {
    workspace,
    onEvent: (event) => {
      if (asked || event.type !== "stage" || event.done! < step) return;
      asked = true;
      if (how === "stop") job.stop();
      else if (how === "kill") job.kill();
      else process.kill(job.pid!, how);
    },
  });
  return { input, job, outcome: await job.done };
}

describe("a job", () => {
  test("runs in a process of its own, says what it does, and leaves its result", async () => {
    const events: LoggedEvent[] = [];
    const input = { steps: 5, step_ms: 1 };
    const job = await startJob("rehearsal", input, { workspace, onEvent: (e) => events.push(e) });
    expect(job.pid).not.toBe(process.pid);
    const outcome = await job.done;
    expect(outcome).toMatchObject({ status: "done", result: { steps: 5, sum: 15 }, problem: null });
    // Node itself needs more than 20 MB, and this job little more than Node.
    expect(outcome.memory_bytes).toBeGreaterThan(20e6);
    expect(outcome.memory_bytes).toBeLessThan(400e6);
    expect(events[0]).toMatchObject({ type: "run-started" });
    expect(events.at(-1)).toMatchObject({ type: "ended", status: "done" });
    expect(await stateOf(job.id)).toMatchObject({ status: "done", tokens: 5 });
    // The lock of the run is free again.
    expect(await workspace.isRunning(job.id)).toBe(false);
  });

  test("has an id that its input alone decides", async () => {
    expect(runId("demo", { a: 1, b: 2 })).toBe(runId("demo", { b: 2, a: 1 }));
    expect(runId("demo", { a: 1 })).not.toBe(runId("demo", { a: 2 }));
    expect(runId("demo", { a: 1 })).not.toBe(runId("grow", { a: 1 }));
  });

  test("that is done is not done again", async () => {
    const input = { steps: 3, step_ms: 1 };
    const first = await startJob("rehearsal", input, { workspace });
    const outcome = await first.done;
    // Defaults are filled in before the id is made.
    const again = await startJob("rehearsal", { ...input, seed: 0 }, { workspace });
    expect(again).toMatchObject({ id: first.id, known: true });
    expect((await again.done).result).toEqual(outcome.result);
  });

  test("is done again when another model lies where the first one lay", async () => {
    const model = join(folder, "model");
    const texts = join(folder, "texts");
    await mkdir(texts);
    await writeFile(
      join(texts, "a.txt"),
      "The moss grows on the north side of the stone. ".repeat(20),
    );
    await writeTinyModel(model);
    const input = { model, texts: [texts], tokens: 128 };
    const first = await startJob("record", input, { workspace });
    const outcome = await first.done;
    expect(outcome).toMatchObject({ status: "done", problem: null });
    const { inputs } = await readManifest(workspace.store, layout.run(first.id));
    expect(inputs.model_files).toMatch(/^[0-9a-f]{64}$/);
    const again = await startJob("record", input, { workspace });
    expect(again).toMatchObject({ id: first.id, known: true });
    await writeTinyModel(model, 2);
    const other = await startJob("record", input, { workspace });
    expect(other.known).toBe(false);
    expect(other.id).not.toBe(first.id);
    const { status, result } = await other.done;
    expect(status).toBe("done");
    expect(result).not.toEqual(outcome.result);
    await writeTinyModel(model);
    expect(await startJob("record", input, { workspace })).toMatchObject({ id: first.id });
  }, 60_000);

  test("whose manifest is cut off is done again", async () => {
    const input = { steps: 3, step_ms: 1 };
    const first = await startJob("rehearsal", input, { workspace });
    await first.done;
    const key = `${layout.run(first.id)}/manifest.json`;
    await workspace.store.put(key, (await workspace.store.get(key)).slice(0, 50));
    const again = await startJob("rehearsal", input, { workspace });
    expect(again.known).toBe(false);
    expect((await again.done).status).toBe("done");
  });

  test.each(["stop", "SIGINT", "SIGTERM"] as const)(
    "drains on %s and continues later with the same result",
    async (how) => {
      const { input, job, outcome } = await stoppedAt(5, how);
      expect(outcome).toMatchObject({ status: "stopped", problem: null });
      expect(await stateOf(job.id)).toMatchObject({ status: "stopped", remaining_s: null });
      const again = await startJob("rehearsal", input, { workspace });
      expect(again.id).toBe(job.id);
      const { result } = await again.done;
      expect(result).toMatchObject({ steps: 40, sum: 820 });
      expect((result as { continued_at: number }).continued_at).toBeGreaterThanOrEqual(5);
    },
  );

  test("that was killed says so, and continues from its checkpoint", async () => {
    const { input, job, outcome } = await stoppedAt(5, "kill");
    expect(outcome).toMatchObject({ status: "failed", problem: { code: "job/died" } });
    expect(await stateOf(job.id)).toMatchObject({ status: "failed", problem: { got: "SIGKILL" } });
    const { result } = await (await startJob("rehearsal", input, { workspace })).done;
    expect(result).toMatchObject({ sum: 820 });
  });

  test("that fails tells code and reason", async () => {
    const job = await startJob("rehearsal", { steps: 5, step_ms: 1, fail_at: 3 }, { workspace });
    expect(await job.done).toMatchObject({
      status: "failed",
      problem: { code: "rehearsal/failed", got: "step 3" },
    });
    expect(await stateOf(job.id)).toMatchObject({ problem: { code: "rehearsal/failed" } });
  });

  test("is refused when there is no such job or its input is wrong", async () => {
    await expect(startJob("nap", {}, { workspace })).rejects.toMatchObject({ code: "job/unknown" });
    await expect(startJob("toString", {}, { workspace })).rejects.toMatchObject({
      code: "job/unknown",
    });
    await expect(startJob("rehearsal", { steps: -1 }, { workspace })).rejects.toMatchObject({
      code: "job/input",
      got: -1,
    });
    expect(await workspace.runs()).toEqual([]);
  });

  test("stops when its parent dies, and leaves a log that can be continued", async () => {
    const parent = startParent();
    const id = runId("rehearsal", { steps: 400, step_ms: 25, seed: 0 });
    const events = join(folder, layout.events(id));
    await until(() => existsSync(events));
    await sleep(200);
    parent.kill("SIGKILL");
    await until(async () => (await stateOf(id)).status === "stopped");
    await until(async () => !(await workspace.isRunning(id)));
    const lines = (await readFile(events, "utf8")).trim().split("\n");
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ type: "ended", status: "stopped" });
  });
});

function startParent(): ChildProcess {
  const source = (path: string): string =>
    JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
  const script = `
    import { openWorkspace } from ${source("../workspace/workspace.ts")};
    import { startJob } from ${source("./runner.ts")};
    const workspace = await openWorkspace(${JSON.stringify(folder)});
    await startJob("rehearsal", { steps: 400, step_ms: 25 }, { workspace });
  `;
  const args = ["--import", "tsx", "--input-type=module", "-e", script];
  return spawn(process.execPath, args, { stdio: "ignore" });
}

async function until(test: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await test()) return;
    await sleep(50);
  }
  throw new Error("it did not happen within 10 s");
}
