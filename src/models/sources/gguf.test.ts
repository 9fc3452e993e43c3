// Every architecture of GGUF is the model that its maker wrote, as transformers computes it.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { openModel } from "../open.ts";
import { bench, casesIn, lastLogits } from "./golden.fixture.ts";

// Made by scripts/golden/checkpoints.py and, by llama.cpp's own converter, gguf_architectures.py.
const golden = "test/golden/checkpoints";
const cases = { ...casesIn("gguf.json"), ...casesIn("gguf-architectures.json") };
const fileOf = (name: string): string =>
  `${golden}/${name === "split" ? "split-00001-of-00003" : name}.gguf`;
const { folder, backend } = bench("gguf");
const cache = join(folder, "cache");

test.each(Object.keys(cases))("%s computes what transformers computes", async (name) => {
  const { tokens, logits, encodings } = cases[name]!;
  const model = await openModel(fileOf(name), { cache });
  expect(model.config.name).toBe(name);
  expect(Object.values(model.stored!.sources).every(({ kind }) => kind === "file")).toBe(true);
  const got = await lastLogits(backend, model, tokens);
  const most = Math.max(1, ...logits.map(Math.abs));
  const distance = Math.max(...logits.map((x, i) => Math.abs(x - got[i]!)));
  expect(distance / most).toBeLessThan(5e-5);
  for (const { text, ids } of encodings)
    expect([...model.tokenizer!.encode(text)], JSON.stringify(text)).toEqual(ids);
  if (encodings.length > 0) expect(model.tokenizer!.d_vocab).toBe(model.config.d_vocab);
});

test("a split model is one model, by its folder and by any of its parts", async () => {
  const parts = [1, 2, 3].map((i) => `split-0000${i}-of-00003.gguf`);
  const at = join(folder, "parts");
  mkdirSync(at);
  for (const part of parts) copyFileSync(`${golden}/${part}`, join(at, part));
  const whole = await openModel(at, { tokenizer: null });
  expect(whole.config.name).toBe("split");
  const paths = Object.values(whole.stored!.sources).map(
    (source) => source.kind === "file" && basename(source.file.path),
  );
  expect([...new Set(paths)].sort()).toEqual(parts);
  expect((await openModel(join(at, parts[1]!))).hash).toBe(whole.hash);
  rmSync(join(at, parts[2]!));
  await expect(openModel(at)).rejects.toMatchObject({
    code: "format/gguf-split",
    got: parts[2],
    wanted: "3 files",
  });
  copyFileSync(join(at, parts[1]!), join(at, parts[2]!));
  await expect(openModel(at)).rejects.toMatchObject({
    got: "part 2 of 3",
    wanted: "part 3 of 3",
  });
  copyFileSync(join(at, parts[0]!), join(at, "other.gguf"));
  await expect(openModel(join(at, "other.gguf"))).rejects.toMatchObject({
    code: "format/gguf-split",
    wanted: "…-00001-of-00003.gguf, as they were split",
  });
});

test("what llama.cpp calls by other names cuts a text as it is called", async () => {
  const named = async (from: string, to: string) => {
    // Names of one length, so that the file stays whole.
    const bytes = readFileSync(`${golden}/gpt2-f16.gguf`);
    bytes.write(to, bytes.lastIndexOf(from));
    const path = join(folder, `${to}.gguf`);
    writeFileSync(path, bytes);
    return (await openModel(path, { cache: false })).tokenizer!;
  };
  const phi = await named("gpt-2", "phi-2");
  const { encodings } = cases["gpt2-f16"]!;
  for (const { text, ids } of encodings) expect([...phi.encode(text)]).toEqual(ids);
  await expect(named("gpt-2", "gpt-9")).rejects.toMatchObject({
    code: "text/tokenizer-kind",
    got: "gpt-9",
  });
});

test("a config.json beside GGUF alone changes nothing; beside other weights it does", async () => {
  const at = join(folder, "published");
  mkdirSync(at);
  copyFileSync(fileOf("olmo2"), join(at, "m.gguf"));
  copyFileSync("test/golden/families/llama/config.json", join(at, "config.json"));
  expect((await openModel(at)).config).toMatchObject({ family: "olmo2", name: "m" });
  copyFileSync("test/golden/families/llama/model.safetensors", join(at, "model.safetensors"));
  expect((await openModel(at)).config.family).toBe("llama");
});
