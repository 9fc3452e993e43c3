// Is the package what it should be: its rules, its doors, the files that are published?
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { missingPlatforms } from "../scripts/lock-platforms.ts";
import { sourceFiles, tooLong } from "../scripts/ratchets.ts";

const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const manifest = read("package.json");
const lock = read("package-lock.json");

test("every version is exact", () => {
  const all = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies });
  const loose = all.filter(([, version]) => !/^(npm:@?[\w/-]+@)?\d+\.\d+\.\d+$/.test(version));
  expect(loose).toEqual([]);
});

test("a new runtime dependency is a visible line", () => {
  expect(Object.keys(manifest.dependencies)).toMatchInlineSnapshot(`
    [
      "@bufbuild/protobuf",
      "@hono/node-server",
      "@hono/zod-openapi",
      "@huggingface/hub",
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "commander",
      "hono",
      "hyparquet-writer",
      "onnxruntime-node",
      "zod",
    ]
  `);
});

test("nothing needs an install script at run time but ONNX Runtime, which does without", () => {
  const scripted = Object.entries<{ hasInstallScript?: boolean; dev?: boolean }>(lock.packages)
    .filter(([, { hasInstallScript, dev }]) => hasInstallScript && !dev)
    .map(([path]) => path);
  expect(scripted).toEqual(["node_modules/onnxruntime-node"]);
  expect(readFileSync(".npmrc", "utf8")).toContain("ignore-scripts=true");
});

test("the lock file is of this package", () => {
  const { dependencies, devDependencies } = lock.packages[""];
  expect(dependencies).toEqual(manifest.dependencies);
  expect(devDependencies).toEqual(manifest.devDependencies);
});

test("the lock file names the binaries of every platform: npm ci refuses it otherwise", () => {
  expect(missingPlatforms(lock.packages)).toEqual({});
});

test("each door leads to a folder's names, with types first", () => {
  const doors = Object.entries<Record<string, string> | string>(manifest.exports);
  expect(doors[0]![0]).toBe(".");
  expect(doors.at(-1)).toEqual(["./package.json", "./package.json"]);
  for (const [door, to] of doors.slice(0, -1)) {
    const at = `./dist/${door === "." ? "" : `${door.slice(2)}/`}index`;
    expect(Object.entries(to), door).toEqual([
      ["types", `${at}.d.ts`],
      ["default", `${at}.js`],
    ]);
    expect(existsSync(`${at.replace("./dist", "src")}.ts`), door).toBe(true);
  }
});

test("what is published is what is meant to be", () => {
  const out = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    shell: process.platform === "win32",
  });
  const report = JSON.parse(out);
  const { files, size } = (Array.isArray(report) ? report : Object.values(report))[0];
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  for (const wanted of ["README.md", "LICENSE", "CHANGELOG.md", "docs/terms.md", "package.json"])
    expect(paths).toContain(wanted);
  const folders = [...new Set(paths.map((path) => path.split("/")[0]!))].sort();
  const known = "CHANGELOG.md LICENSE README.md corpus dist docs organisms package.json".split(" ");
  expect(folders.filter((name) => !known.includes(name))).toEqual([]);
  expect(paths.filter((path) => /\.test\.|\.build\.json|\.DS_Store/.test(path))).toEqual([]);
  expect(size).toBeLessThan(20e6);
});

test("no file is longer than can be read", () => {
  expect(tooLong(sourceFiles())).toEqual([]);
});
