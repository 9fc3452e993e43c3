import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { modelFingerprint } from "./fingerprint.ts";

const folder = mkdtempSync(join(tmpdir(), "fingerprint-"));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string, files: Readonly<Record<string, string | Uint8Array>>): string => {
  const made = join(folder, name);
  mkdirSync(made);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(made, file), content);
  return made;
};

test("other weights, settings or tokenizer are another model; the same bytes are not", async () => {
  const files = { "config.json": "{}", "model.safetensors": "abc", "tokenizer.json": "{}" };
  const at = place("a", files);
  const first = await modelFingerprint(at);
  expect(await modelFingerprint(place("b", files))).toBe(first);
  for (const name of Object.keys(files)) {
    writeFileSync(join(at, name), "{ }");
    expect(await modelFingerprint(at), name).not.toBe(first);
    writeFileSync(join(at, name), files[name as keyof typeof files]);
    expect(await modelFingerprint(at)).toBe(first);
  }
  for (const name of ["README.md", ".hidden.json"]) writeFileSync(join(at, name), "x");
  expect(await modelFingerprint(at)).toBe(first);
});

test("large files are known by size and time, and are not read", async () => {
  const at = place("large", { "model.bin": new Uint8Array(9 * 2 ** 20) });
  const path = join(at, "model.bin");
  utimesSync(path, 1000, 1000);
  const first = await modelFingerprint(at);
  const other = new Uint8Array(9 * 2 ** 20).fill(1);
  writeFileSync(path, other);
  expect(await modelFingerprint(at)).not.toBe(first);
  utimesSync(path, 1000, 1000);
  expect(await modelFingerprint(at)).toBe(first);
});

test("files of the hub's cache are known by their blobs' names", async () => {
  const hash = "0123456789abcdef".repeat(4);
  const at = place("hub", {});
  writeFileSync(join(folder, hash), "weights");
  symlinkSync(join("..", hash), join(at, "m.gguf"));
  const first = await modelFingerprint(join(at, "m.gguf"));
  writeFileSync(join(folder, hash), "never looked at");
  expect(await modelFingerprint(join(at, "m.gguf"))).toBe(first);
  rmSync(join(at, "m.gguf"));
  copyFileSync(join(folder, hash), join(at, "m.gguf"));
  expect(await modelFingerprint(join(at, "m.gguf"))).not.toBe(first);
});

test("a model of our own is known by the hash in its config; a split one by all of its parts", async () => {
  const config = JSON.stringify({ n_layers: 1, hash: "ab".repeat(32) });
  const at = place("own", { "config.json": config, "model.safetensors": "abc" });
  const first = await modelFingerprint(at);
  writeFileSync(join(at, "growth.json"), "{}");
  expect(await modelFingerprint(at)).toBe(first);
  const name = (i: number) => `m-0000${i}-of-00002.gguf`;
  const split = place("split", { [name(1)]: "a", [name(2)]: "b" });
  const whole = await modelFingerprint(join(split, name(1)));
  expect(await modelFingerprint(join(split, name(2)))).toBe(whole);
  writeFileSync(join(split, name(2)), "c");
  expect(await modelFingerprint(join(split, name(1)))).not.toBe(whole);
});
