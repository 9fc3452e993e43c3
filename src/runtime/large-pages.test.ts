import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { largePages } from "./large-pages.ts";

const granted = "always [madvise] never\n";

describe("large pages", () => {
  test("are asked for beside what the environment asks for already", () => {
    expect(largePages({ granted, env: { A: "1" } })).toEqual({
      A: "1",
      GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
    });
    const env = { GLIBC_TUNABLES: "glibc.malloc.check=0" };
    expect(largePages({ granted, env })!.GLIBC_TUNABLES).toBe(
      "glibc.malloc.check=0:glibc.malloc.hugetlb=1",
    );
  });

  test("are not asked for where they come anyway, never come, or the user has settled it", () => {
    expect(largePages({ granted: "[always] madvise never", env: {} })).toBeUndefined();
    expect(largePages({ granted: "always madvise [never]", env: {} })).toBeUndefined();
    expect(largePages({ granted: "", env: {} })).toBeUndefined();
    const env = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=0" };
    expect(largePages({ granted, env })).toBeUndefined();
  });

  const env = largePages({ env: { PATH: process.env.PATH } });
  test.skipIf(env === undefined)("are what a process gets that was started so", () => {
    const script = `
      const kept = new Float32Array(16 * 2 ** 20).fill(1);
      const text = require("node:fs").readFileSync("/proc/self/smaps_rollup", "utf8");
      console.log(/AnonHugePages:\\s+(\\d+)/.exec(text)[1], kept.length);`;
    const kilobytes = (of?: NodeJS.ProcessEnv): number =>
      Number(
        execFileSync(process.execPath, ["-e", script], { env: of, encoding: "utf8" }).split(" ")[0],
      );
    const libc = readFileSync("/proc/self/maps", "utf8");
    // musl has no such setting.
    const wanted = libc.includes("musl") ? 0 : 32 * 1024;
    expect(kilobytes(env)).toBeGreaterThanOrEqual(wanted);
  });
});
