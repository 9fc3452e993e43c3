// Does a build say all that bits depend on, and do two builds say how they differ?
import { cpus } from "node:os";
import { expect, test } from "vitest";
import { type BuildInfo, buildDifferences, buildInfo, flagsIn } from "./build.ts";
import { ortBackend } from "./ort.ts";
import { referenceBackend } from "./reference.ts";

test("names the package, the engine with its version, the options and the processor", async () => {
  const info = await buildInfo(ortBackend({ threads: 3 }));
  expect(info.micrographia).toMatch(/^\d+\.\d+\.\d+/);
  expect(info.node).toBe(process.version);
  expect(info.engine).toMatch(/^onnxruntime \d+\.\d+\.\d+/);
  expect(info.options).toEqual({ threads: 3 });
  expect(info).toMatchObject({ platform: process.platform, arch: process.arch });
  expect(info.cpu.model).toBe(cpus()[0]!.model.trim());
  expect((await buildInfo(referenceBackend())).engine).toBe("reference");
  // It goes into manifests.
  expect(JSON.parse(JSON.stringify(info))).toEqual(info);
});

test("reads the instructions that kernels are chosen by, and no others", () => {
  expect(flagsIn("flags\t\t: fpu avx512f sse4_1 avx2 fma rdrand\nflags\t\t: avx")).toEqual([
    "avx2",
    "avx512f",
    "fma",
    "sse4_1",
  ]);
  expect(flagsIn("Features\t: fp asimd asimddp crc32 sve\n")).toEqual(["asimd", "asimddp", "sve"]);
  expect(flagsIn("")).toEqual([]);
});

test("tells what is otherwise, and nothing where nothing is", async () => {
  const now = await buildInfo(ortBackend({ threads: 1 }));
  expect(buildDifferences(now, await buildInfo(ortBackend({ threads: 1 })))).toEqual([]);
  const then: BuildInfo = {
    ...now,
    engine: "onnxruntime 1.20.0",
    options: { threads: 4, prepack: true },
    cpu: { model: "another", flags: now.cpu.flags },
  };
  expect(buildDifferences(then, now)).toEqual([
    `engine: onnxruntime 1.20.0 then, ${now.engine} now`,
    `cpu: another then, ${now.cpu.model} now`,
    "threads: 4 then, 1 now",
    "prepack: true then, not set now",
  ]);
});
