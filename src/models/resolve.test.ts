import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { listOrganisms } from "./organisms.ts";
import { resolveModel } from "./resolve.ts";

const cacheDir = mkdtempSync(join(tmpdir(), "resolve-"));
afterAll(() => rmSync(cacheDir, { recursive: true }));
const commit = "0123456789abcdef0123456789abcdef01234567";
const options = { cacheDir, env: {} };

test("an organism, a folder, a file and a hub id each mean one place", async () => {
  const [organism] = await listOrganisms();
  expect((await resolveModel(organism!, options)).kind).toBe("organism");
  expect(await resolveModel(cacheDir, options)).toMatchObject({ kind: "folder", folder: cacheDir });
  const file = join(cacheDir, "tiny.gguf");
  writeFileSync(file, "");
  expect(await resolveModel(file, options)).toEqual({
    kind: "file",
    name: "tiny.gguf",
    folder: cacheDir,
    file,
  });
  const folder = join(cacheDir, "models--org--tiny");
  const snapshot = join(folder, "snapshots", commit);
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(join(folder, "refs"));
  writeFileSync(join(folder, "refs/main"), commit);
  writeFileSync(join(snapshot, "config.json"), "{}");
  await expect(resolveModel("org/tiny", options)).rejects.toMatchObject({
    code: "hub/incomplete",
    got: "missing: model.safetensors",
  });
  writeFileSync(join(snapshot, "model.safetensors"), "");
  expect(await resolveModel("org/tiny", options)).toEqual({
    kind: "hub",
    name: "org/tiny",
    folder: snapshot,
    commit,
  });
  expect((await resolveModel(`org/tiny@${commit}`, options)).folder).toBe(snapshot);
});

test("what is not here is refused with the line that fetches it", async () => {
  await expect(resolveModel("org/other@v2", options)).rejects.toMatchObject({
    code: "model/missing",
    hint: "fetch it: micrographia pull org/other@v2",
  });
  await expect(resolveModel("./no/such/folder", options)).rejects.toMatchObject({
    code: "model/missing",
    hint: undefined,
  });
});

test("a hub id with GGUF alone means its file, and which, if there are several, is asked", async () => {
  const folder = join(cacheDir, "models--org--blocks");
  const snapshot = join(folder, "snapshots", commit);
  mkdirSync(join(snapshot, "q8"), { recursive: true });
  mkdirSync(join(folder, "refs"));
  writeFileSync(join(folder, "refs/main"), commit);
  for (const i of [1, 2]) writeFileSync(join(snapshot, `q8/m-0000${i}-of-00002.gguf`), "");
  writeFileSync(join(snapshot, "mmproj-m.gguf"), "");
  const first = join(snapshot, "q8", "m-00001-of-00002.gguf");
  expect(await resolveModel("org/blocks", options)).toEqual({
    kind: "hub",
    name: "org/blocks",
    folder: snapshot,
    commit,
    file: first,
  });
  writeFileSync(join(snapshot, "m-q4.gguf"), "");
  await expect(resolveModel("org/blocks", options)).rejects.toMatchObject({
    code: "model/weights",
    got: "m-q4.gguf, q8/m-00001-of-00002.gguf",
    wanted: "the path of one of them",
  });
  // Weights that the config is of come first.
  for (const name of ["config.json", "model.safetensors"]) writeFileSync(join(snapshot, name), "");
  expect((await resolveModel("org/blocks", options)).file).toBeUndefined();
});
