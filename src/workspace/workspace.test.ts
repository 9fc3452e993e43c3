import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildInfo, ortBackend } from "../runtime/index.ts";
import { memoryStore } from "../storage/memory.ts";
import { putText } from "../storage/store.ts";
import { hashOf, readManifest, writeManifest } from "./artifact.ts";
import type { RunEvent } from "./events.ts";
import { dictionaryId, isId, layout } from "./layout.ts";
import { acquireLock } from "./lock.ts";
import { openRunLog, runReader } from "./run-log.ts";
import { openWorkspace, writeRequest } from "./workspace.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-workspace-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("an artifact", () => {
  const store = memoryStore();

  test("is read as it was written", async () => {
    await putText(store, "a/data.bin", "12345");
    const parts = { kind: "bundle", seed: 7, inputs: { model: "abc" }, files: ["data.bin"] };
    const written = await writeManifest(store, "a", { ...parts, metrics: { L0: 31.5 } });
    expect(written.files).toEqual({ "data.bin": 5 });
    const read = await readManifest(store, "a", { kind: "bundle", inputs: { model: "abc" } });
    expect(read).toEqual(written);
    const build = await buildInfo(ortBackend({ threads: 2 }));
    await writeManifest(store, "a", { ...parts, build });
    expect((await readManifest(store, "a")).build).toEqual(build);
  });

  test("is refused when it is of another kind or made from something else", async () => {
    await expect(readManifest(store, "a", { kind: "run" })).rejects.toMatchObject({
      code: "artifact/kind",
      got: "bundle",
      wanted: "run",
    });
    await expect(readManifest(store, "a", { inputs: { model: "xyz" } })).rejects.toMatchObject({
      code: "artifact/mismatch",
      got: "abc",
      wanted: "xyz",
    });
  });

  test("is refused when a data file is missing or cut off", async () => {
    await putText(store, "a/data.bin", "1234");
    await expect(readManifest(store, "a")).rejects.toMatchObject({ code: "artifact/truncated" });
    await expect(writeManifest(store, "a", { kind: "x", files: ["none"] })).rejects.toMatchObject({
      code: "artifact/missing-file",
    });
  });

  test.each([
    ["empty", ""],
    ["cut off", '{"format":1,"kind":"run","par'],
    ["another thing", '["hello"]'],
    ["hostile", '{"format":1,"kind":"run","files":{"../../etc/passwd":"many"}}'],
    ["deep", `${"[".repeat(50_000)}`],
  ])("is refused when its manifest is %s", async (_, text) => {
    await putText(store, "b/manifest.json", text);
    await expect(readManifest(store, "b")).rejects.toMatchObject({ code: "artifact/manifest" });
  });

  test("cannot make us look outside its folder", async () => {
    const { store } = await openWorkspace(folder);
    const manifest = await writeManifest(store, "runs/x", { kind: "run" });
    const hostile = { ...manifest, files: { "../../../etc/passwd": 1 } };
    await putText(store, "runs/x/manifest.json", JSON.stringify(hostile));
    await expect(readManifest(store, "runs/x")).rejects.toMatchObject({ code: "storage/key" });
  });

  test("from a newer version is refused, and says so", async () => {
    const manifest = await writeManifest(store, "c", { kind: "run" });
    await putText(store, "c/manifest.json", JSON.stringify({ ...manifest, format: 99 }));
    await expect(readManifest(store, "c")).rejects.toMatchObject({ code: "artifact/format" });
  });

  test("has a hash that does not depend on the order of keys", () => {
    expect(hashOf({ a: 1, b: [2, { c: 3, d: undefined }] })).toBe(
      hashOf({ b: [2, { c: 3 }], a: 1 }),
    );
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: 2 }));
    // SHA-256 of the three letters, FIPS 180-2, appendix B.1.
    expect(hashOf(new TextEncoder().encode("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});

describe("ids", () => {
  test.each(["..", "a/b", "a\\b", "", ".hidden", "a..b", "a\0", "é", "a".repeat(201)])(
    "refuses %j",
    (id) => {
      expect(isId(id)).toBe(false);
      expect(() => layout.bundle(id)).toThrowError(
        expect.objectContaining({ code: "workspace/id" }),
      );
    },
  );

  test("name a dictionary by what it is", () => {
    const id = dictionaryId({ model: "field-1l", d_sae: 2048, k: 32, seed: 0 });
    expect(id).toBe("field-1l-sae-2048-k32-s0");
    expect(isId(id)).toBe(true);
  });
});

describe("the lock", () => {
  test("is held by one, names the holder, and is free again", async () => {
    const path = join(folder, ".lock");
    const lock = await acquireLock(path);
    await expect(acquireLock(path)).rejects.toMatchObject({
      code: "workspace/locked",
      got: expect.stringContaining(`pid ${process.pid}`),
    });
    await lock.release();
    await (await acquireLock(path)).release();
  });

  test("of a process that is gone is taken over", async () => {
    const path = join(folder, ".lock");
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => child.on("exit", resolve));
    await writeFile(path, JSON.stringify({ pid: child.pid, host: hostname(), started: null }));
    const lock = await acquireLock(path);
    expect(JSON.parse(await readFile(path, "utf8")).pid).toBe(process.pid);
    await lock.release();
  });

  test.runIf(process.platform === "linux")(
    "of a pid that now belongs to another process is taken over",
    async () => {
      const path = join(folder, ".lock");
      await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), started: "1" }));
      await (await acquireLock(path)).release();
    },
  );

  test("of another machine is respected", async () => {
    const path = join(folder, ".lock");
    await writeFile(path, JSON.stringify({ pid: 1, host: "elsewhere", started: null }));
    await expect(acquireLock(path)).rejects.toMatchObject({ code: "workspace/locked" });
  });

  test("goes to exactly one of many that find a stale one", async () => {
    const path = join(folder, ".lock");
    await writeFile(path, JSON.stringify({ pid: 2 ** 30, host: hostname(), started: null }));
    const got = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(path)));
    const held = got.filter(({ status }) => status === "fulfilled");
    expect(held).toHaveLength(1);
  });
});

describe("a workspace", () => {
  test("lists what is whole, and switches revisions", async () => {
    const workspace = await openWorkspace(folder);
    const { store } = workspace;
    await putText(store, "dictionaries/a/cfg.json", "{}");
    await putText(store, "dictionaries/b/half.bin", "");
    await writeRequest(store, { id: "demo-2", kind: "demo", input: {}, now: 2 });
    await writeRequest(store, { id: "grow-1", kind: "grow", input: {}, now: 1 });
    await putText(store, "runs/broken/request.json", "{");
    expect(await workspace.dictionaries()).toEqual(["a"]);
    expect(await workspace.runs()).toEqual([
      { id: "grow-1", kind: "grow" },
      { id: "demo-2", kind: "demo" },
    ]);
    expect(await workspace.revision("a")).toBeNull();
    await workspace.setRevision("a", 3);
    expect(await workspace.revision("a")).toBe(3);
    expect(await workspace.bundles()).toEqual(["a"]);
    await putText(store, layout.current("a"), "{");
    await expect(workspace.revision("a")).rejects.toMatchObject({ code: "artifact/manifest" });
  });

  test("cannot be a file", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openWorkspace(join(folder, "file"))).rejects.toMatchObject({
      code: "workspace/folder",
    });
  });
});

describe("a run's log", () => {
  const started: RunEvent = {
    type: "run-started",
    model: "m",
    site: "s",
    seed: 0,
    total_tokens: 9,
    stages: [],
  };

  test("is continued where a kill cut it off", async () => {
    const { store } = await openWorkspace(folder);
    const log = await openRunLog(store, { id: "demo-1", kind: "demo" });
    log.append(started);
    await log.flush();
    await store.append(layout.events("demo-1"), new TextEncoder().encode('{"at":5,"type":"met'));
    const again = await openRunLog(store, { id: "demo-1", kind: "demo" });
    expect(again.fold().state.status).toBe("running");
    again.append({ type: "ended", status: "done" });
    await again.flush();
    const third = await openRunLog(store, { id: "demo-1", kind: "demo" });
    expect(third.fold().state.status).toBe("done");
    expect(JSON.parse(await readFile(join(folder, layout.state("demo-1")), "utf8")).status).toBe(
      "done",
    );
  });

  test("is tailed: whole lines only, and from the start when it was replaced", async () => {
    const { store } = await openWorkspace(folder);
    const key = layout.events("demo-1");
    const reader = runReader(store, "demo-1", "demo");
    expect(await reader.read()).toBe(false);
    const line = JSON.stringify({ at: 1, ...started });
    await putText(store, key, `${line}\n{"at":2,"type":"me`);
    expect(await reader.read()).toBe(true);
    expect(reader.fold().state.status).toBe("running");
    await store.append(key, new TextEncoder().encode('tric","tokens":5,"values":{"loss":2}}\n'));
    expect(await reader.read()).toBe(true);
    expect(reader.fold().state.tokens).toBe(5);
    await putText(store, key, `${line}\n`);
    expect(await reader.read()).toBe(true);
    expect(reader.fold().state.tokens).toBe(0);
  });

  test("tells when it cannot be written", async () => {
    const store = { ...memoryStore(), append: async () => Promise.reject(new Error("no space")) };
    const log = await openRunLog(store, { id: "demo-1", kind: "demo" });
    log.append(started);
    await expect(log.flush()).rejects.toThrow("no space");
  });
});
