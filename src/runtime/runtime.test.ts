import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { readSafetensorsHeader, writeSafetensors } from "../formats/safetensors.ts";
import { input, matmul, mul, program, relu, sum, weight } from "../graph/index.ts";
import { folderStore } from "../storage/folder.ts";
import { f32, tensor, zeros } from "../tensor/tensor.ts";
import type { Backend } from "./backend.ts";
import { byteCache } from "./cache.ts";
import { rowsPerRun } from "./limits.ts";
import { sessionEntries } from "./options.ts";
import { ortBackend, racing } from "./ort.ts";
import { referenceBackend } from "./reference.ts";

function affine() {
  const x = input("x", "float32", [2, 3]);
  const w = input("w", "float32", [3, 2]);
  return program({ inputs: [x, w], outputs: { y: relu(matmul(x, w)), s: sum(x) } });
}
const feeds = { x: f32([2, 3], [1, 2, 3, -1, -2, -3]), w: f32([3, 2], [1, 0, 0, 1, 1, 1]) };

const backends: Backend[] = [ortBackend({ threads: 1 }), referenceBackend()];

describe.each(backends)("the $name backend", (backend) => {
  test("computes, and writes into the tensors it is given", async () => {
    const run = await backend.compile(affine());
    const { y, s } = await run.run(feeds);
    expect([...(y!.data as Float32Array)]).toEqual([4, 5, 0, 0]);
    expect(s!.data[0]).toBe(0);
    const into = { y: zeros("float32", [2, 2]) };
    const again = await run.run(feeds, into);
    expect(again.y).toBe(into.y);
    expect([...into.y.data]).toEqual([4, 5, 0, 0]);
  });

  test("refuses what does not fit, with a code", async () => {
    const run = await backend.compile(affine());
    const code = (fed: object, into: object = {}) =>
      run.run(fed as typeof feeds, into as typeof feeds).then(
        () => "accepted",
        (error) => error.code,
      );
    expect(await code({ x: feeds.x })).toBe("run/feeds");
    expect(await code({ ...feeds, z: feeds.x })).toBe("run/feeds");
    expect(await code({ ...feeds, x: f32([3, 2], [1, 2, 3, 4, 5, 6]) })).toBe("run/feeds");
    expect(await code({ ...feeds, x: zeros("float64", [2, 3]) })).toBe("run/feeds");
    expect(await code(feeds, { y: zeros("float32", [2, 3]) })).toBe("run/into");
    expect(await code(feeds, { q: zeros("float32", [2, 2]) })).toBe("run/into");
    const shared = tensor("float32", [2, 2], feeds.x.data.subarray(0, 4));
    expect(await code(feeds, { y: shared })).toBe("run/into");
    await run.release();
    expect(await code(feeds)).toBe("run/released");
  });
});

describe("options", () => {
  const every = sessionEntries({
    threads: 1,
    prepack: false,
    denormalsAsZero: true,
    externalFolder: "/x",
  });

  test("are all keys that this ONNX Runtime knows", () => {
    if (process.platform !== "linux") return console.warn("skipped: looks into the Linux library");
    const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
    const library = readFileSync(
      join(root, "bin/napi-v6/linux", process.arch, "libonnxruntime.so.1"),
    );
    for (const key of Object.keys(every))
      expect(library.includes(`session.${key}\0`), key).toBe(true);
    expect(library.includes("session.force_spining_stop\0")).toBe(false);
  });

  const heavy = () => {
    const x = input("x", "float32", [512, 512]);
    let y = x;
    for (let i = 0; i < 12; i++) y = matmul(y, x);
    return program({ inputs: [x], outputs: { y } });
  };
  const fed = { x: zeros("float32", [512, 512]) };

  test("threads: a session has as many as it is told, the caller's own among them", async () => {
    if (process.platform !== "linux") return console.warn("skipped: counts threads in /proc");
    const threads = () => readdirSync("/proc/self/task").length;
    for (const n of [1, 2, 4]) {
      const before = threads();
      const backend = ortBackend({ threads: n });
      await backend.compile(heavy());
      expect(threads() - before).toBe(n - 1);
      await backend.release();
    }
  });

  test("force_spinning_stop: threads leave the cores alone when a run has ended", async () => {
    const run = await ortBackend({ threads: 2 }).compile(heavy());
    await run.run(fed);
    const before = process.cpuUsage();
    await sleep(100);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(30);
  });

  test("the external folder: weights come out of their safetensors file, in place", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weights-"));
    try {
      const store = folderStore(folder);
      await writeSafetensors(store, "m.safetensors", { pad: f32([1], [7]), w: feeds.w });
      const { start, end } = (await readSafetensorsHeader(store, "m.safetensors")).entries.get(
        "w",
      )!;
      const file = { path: join(folder, "m.safetensors"), offset: start, length: end - start };
      const x = input("x", "float32", [2, 3]);
      const y = matmul(x, weight("w", "float32", [3, 2], file));
      for (const prepack of [false, true]) {
        const run = await ortBackend().compile(program({ inputs: [x], outputs: { y } }), {
          prepack,
        });
        const got = await run.run({ x: feeds.x });
        expect([...(got.y!.data as Float32Array)]).toEqual([4, 5, -4, -5]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("disable_prepacking: mapped weights take no memory of their own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weights-"));
    try {
      const store = folderStore(folder);
      const shape = [4096, 4096]; // 64 MiB
      await writeSafetensors(store, "m.safetensors", { w: zeros("float32", shape) });
      const { start, end } = (await readSafetensorsHeader(store, "m.safetensors")).entries.get(
        "w",
      )!;
      const file = { path: join(folder, "m.safetensors"), offset: start, length: end - start };
      const x = input("x", "float32", [4, 4096]);
      const y = matmul(x, weight("w", "float32", shape, file));
      const privateBytes = async (prepack: boolean) => {
        const backend = ortBackend({ threads: 1 });
        const before = anonymousBytes();
        const run = await backend.compile(program({ inputs: [x], outputs: { y } }), { prepack });
        await run.run({ x: zeros("float32", [4, 4096]) });
        const gained = anonymousBytes() - before;
        await backend.release();
        return gained / 2 ** 20;
      };
      if (process.platform !== "linux") return console.warn("skipped: reads /proc");
      expect(await privateBytes(false)).toBeLessThan(16);
      expect(await privateBytes(true)).toBeGreaterThan(48);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Memory that is ours alone, as against mapped files. */
function anonymousBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)![1]);
}

test("a program with the racing op is known by its bytes", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(racing(bytes("..ScatterND..reduction..add"))).toBe(true);
  expect(racing(bytes("..ScatterND.."))).toBe(false);
  expect(racing(bytes("..ScatterElements..reduction"))).toBe(false);
});

test("sessions beyond the budget are released and come back when they are run", async () => {
  const backend = ortBackend({ threads: 1, cacheBytes: 1 });
  const x = input("x", "float32", [2]);
  const runs = await Promise.all(
    [2, 3, 4].map((factor) =>
      backend.compile(program({ inputs: [x], outputs: { y: mul(x, factor) } })),
    ),
  );
  for (let round = 0; round < 3; round++)
    for (const [i, run] of runs.entries()) {
      const { y } = await run.run({ x: f32([2], [1, 10]) });
      expect([...(y!.data as Float32Array)]).toEqual([i + 2, 10 * (i + 2)]);
      expect(backend.sessions().loaded).toBeLessThanOrEqual(round === 0 ? 3 : 1);
    }
  await backend.release();
  expect(backend.sessions().loaded).toBe(0);
});

describe("the cache", () => {
  const setup = (budget: number) => {
    const log: string[] = [];
    const cache = byteCache<string>({
      budget,
      release: async (value) => void log.push(`- ${value}`),
    });
    const make = async (key: string) => {
      log.push(`+ ${key}`);
      return key;
    };
    const use = (key: string, work = async () => {}) => cache.use(key, () => make(key), work);
    return { log, cache, use };
  };

  test("drops the least recently used first, and never the last one or one in use", async () => {
    const { log, cache, use } = setup(10);
    for (const key of ["a", "b", "c"]) {
      await use(key);
      await cache.weigh(key, 4);
    }
    expect(log).toEqual(["+ a", "+ b", "+ c", "- a"]);
    await use("b");
    await use("d", async () => {
      await cache.weigh("d", 100);
      expect(cache.keys()).toEqual(["d"]);
      await use("e");
      expect(cache.keys()).toEqual(["d", "e"]);
    });
    await cache.clear();
    expect(cache.keys()).toEqual([]);
    expect(log.filter((x) => x === "- d")).toHaveLength(1);
  });

  test("makes a thing once for all who ask at the same time, and anew after a failure", async () => {
    const { log, cache, use } = setup(10);
    await Promise.all([use("a"), use("a"), use("a")]);
    expect(log).toEqual(["+ a"]);
    const broken = () => Promise.reject(new Error("no"));
    await expect(cache.use("b", broken, async () => {})).rejects.toThrow("no");
    expect(cache.keys()).toEqual(["a"]);
    await use("b");
    expect(log).toEqual(["+ a", "+ b"]);
  });
});

test("runs are equal in size, within the limit, and never empty", () => {
  expect(rowsPerRun(33, { bytesPerRow: 1, limit: 32 })).toBe(17);
  expect(rowsPerRun(10, { bytesPerRow: 1, limit: 32 })).toBe(10);
  expect(rowsPerRun(10, { bytesPerRow: 100, limit: 32 })).toBe(1);
  expect(rowsPerRun(1000, { bytesPerRow: 2 ** 20 })).toBe(63);
});
