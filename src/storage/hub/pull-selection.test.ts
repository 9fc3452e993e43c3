// Which files of a repository come: shards, pickles, GGUF, and what was asked for.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repo } from "./hub.fixture.ts";
import { codeOf, hubBench, noise, single, utf8 } from "./pull.fixture.ts";

const bench = hubBench();
const { start, pull } = bench;

test("shards come as the index names them, others do not", async () => {
  const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } };
  const sharded = {
    "config.json": utf8("{}"),
    "model-1.safetensors": noise(1500, 1),
    "model-2.safetensors": noise(1500, 2),
    "model.fp16.safetensors": noise(1500, 3),
    "model.safetensors.index.json": utf8(JSON.stringify(index)),
  };
  await start({ revisions: { main: sharded } });
  expect((await pull()).files).toEqual([
    "config.json",
    "model-1.safetensors",
    "model-2.safetensors",
    "model.safetensors.index.json",
  ]);
  rmSync(join((await pull()).folder, "model-2.safetensors"));
  await expect(pull({ offline: true })).rejects.toMatchObject({
    code: "hub/incomplete",
    got: "missing: model-2.safetensors",
    hint: "micrographia pull some-org/tiny",
  });
});

test("pickles come only without safetensors, other kinds only when asked for", async () => {
  const { "model.safetensors": _, ...rest } = single;
  await start({ revisions: { main: rest } });
  expect((await pull()).files).toEqual(["config.json", "pytorch_model.bin", "tokenizer.json"]);
  expect((await pull({ include: ["*.onnx", "README*"] })).files).toEqual([
    "README.md",
    "onnx/model.onnx",
  ]);
  expect((await pull({ all: true })).files.length).toBe(6);
  expect(await codeOf(pull({ include: ["*.gguf"] }))).toBe("hub/no-match");
  const { "pytorch_model.bin": __, ...none } = rest;
  bench.hub!.world.revisions.main = none;
  expect(await codeOf(pull())).toBe("hub/no-weights");
});

test("of a repository with GGUF alone comes its one model, every part of it", async () => {
  const parts = [1, 2].map((i) => `q/tiny-Q8_0-0000${i}-of-00002.gguf`);
  const files = {
    "README.md": utf8("# tiny"),
    "mmproj-tiny-f16.gguf": noise(3000, 5),
    "imatrix.gguf": noise(3000, 6),
    ...Object.fromEntries(parts.map((name, i) => [name, noise(4000, i)])),
  };
  await start({ revisions: { main: files } });
  expect((await pull()).files).toEqual(parts);
  const { [parts[1]!]: _, ...cut } = files as Record<string, Uint8Array>;
  bench.hub!.world.revisions.main = cut;
  expect(await codeOf(pull())).toBe("hub/missing-file");
});

test("of several quantisations none is guessed: the refusal lists them, --include picks", async () => {
  const names = ["tiny-Q2_K.gguf", "tiny-Q4_K_M.gguf", "tiny-f16.gguf"];
  const files = Object.fromEntries(names.map((name, i) => [name, noise((i + 1) * 2 ** 20, i)]));
  await start({ revisions: { main: { "config.json": utf8("{}"), ...files } } });
  await expect(pull()).rejects.toMatchObject({
    code: "hub/several-weights",
    got: "tiny-Q2_K.gguf (1.0 MB), tiny-Q4_K_M.gguf (2.0 MB), tiny-f16.gguf (3.0 MB)",
    hint: `choose: micrographia pull ${repo} --include 'tiny-f16.gguf'`,
  });
  expect((await pull({ include: ["*Q2_K*"] })).files).toEqual(["tiny-Q2_K.gguf"]);
});
