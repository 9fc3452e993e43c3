import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openGguf } from "../formats/gguf/gguf.ts";
import { openTensors } from "../formats/open.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { blockErrors } from "./block-error.ts";
import { openModel } from "./open.ts";

test("fewer bits are further from the trained weights, each within its step", async () => {
  // The same 2 × 64 normal numbers in every type that the gguf package can quantise.
  const file = await openGguf(folderStore("test/golden/formats"), "small.gguf", { blocks: "read" });
  const store = memoryStore();
  const tensors: Record<string, Tensor> = {};
  const names = ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0"];
  for (const name of names) tensors[name] = await file.read("bf16");
  await store.put("m.safetensors", encodeSafetensors(tensors));
  const reference = await openTensors(store, "m.safetensors");
  const some = { ...file, entries: new Map([...file.entries].filter(([n]) => names.includes(n))) };
  const errors = Object.fromEntries((await blockErrors(some, reference)).map((e) => [e.name, e]));
  expect(errors.q8_0!.relative).toBeLessThan(errors.q5_0!.relative);
  expect(errors.q5_0!.relative).toBeLessThan(errors.q4_0!.relative);
  expect(errors.q5_1!.relative).toBeLessThan(errors.q4_1!.relative);
  // A step of q bits over ±a is a / 2^(q−1); rounding is off by half a step, bfloat16 by 2^-9 more.
  const most = Math.max(...((await file.read("f32")).data as Float32Array).map(Math.abs), 4);
  for (const [name, bits] of [
    ["q8_0", 8],
    ["q5_0", 5],
    ["q4_0", 4],
  ] as const)
    expect(errors[name]!.largest).toBeLessThan(most / 2 ** (bits - 1));
  await expect(blockErrors(file, reference)).rejects.toMatchObject({ code: "model/weights" });
});

test("a model of 4-bit blocks is opened on request, and says how far it is from the trained one", async () => {
  const golden = "test/golden/checkpoints";
  const path = `${golden}/llama-q4_0.gguf`;
  const told = JSON.parse(readFileSync(`${golden}/gguf-blocks.json`, "utf8"));
  await expect(openModel(path, { cache: false })).rejects.toMatchObject({
    code: "format/gguf-blocks",
  });
  const trained = `${golden}/llama-q8_0.gguf`;
  const { blocks } = await openModel(path, { cache: false, blocks: "read", trained });
  expect(blocks!.types).toEqual({ Q4_0: told.tensors });
  expect(blocks!.error!.relative).toBeCloseTo(told.relative, 6);
  expect(blocks!.error!.largest).toBeCloseTo(told.largest, 6);
  expect((await openModel(trained, { cache: false })).blocks).toBeUndefined();
  const other = { cache: false, blocks: "read", trained: `${golden}/phi2.gguf` } as const;
  await expect(openModel(path, other)).rejects.toMatchObject({ code: "model/weights" });
});
