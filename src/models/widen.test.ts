import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Progress } from "../base/progress.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import type { Store } from "../storage/store.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import { type WidenPlan, widenedCopy } from "./widen.ts";

const golden = folderStore("test/golden/formats");
const gguf = JSON.parse(readFileSync("test/golden/formats/gguf.json", "utf8")) as Record<
  string,
  { stored: string; shape: number[]; data: number[] }
>;

/** Remembers what was written. */
function watched(): { store: Store; puts: string[] } {
  const store = memoryStore();
  const puts: string[] = [];
  const put = async (key: string, bytes: Uint8Array) => {
    puts.push(key.slice(key.lastIndexOf("/") + 1));
    return store.put(key, bytes);
  };
  return { store: { ...store, put }, puts };
}

const source = { store: golden, key: "small.gguf" };

test("a copy holds, bit for bit, what the gguf package reads, and is made once", async () => {
  const { store, puts } = watched();
  const plans: WidenPlan[] = [];
  const made = await widenedCopy(source, store, { blocks: "read", onPlan: (p) => plans.push(p) });
  expect(made.how).toBe("written");
  expect(puts).toEqual(["model.safetensors", "manifest.json"]);
  for (const [name, { shape, data }] of Object.entries(gguf)) {
    const got = await made.file.read(name);
    expect([name, got.dtype, got.shape]).toEqual([name, "float32", shape]);
    expect(got.data).toEqual(Float32Array.from(data));
    // What was asked for: float32 that can be mapped.
    expect(made.file.entries.get(name)!.range).toBeDefined();
  }
  const floats = Object.values(gguf).reduce((sum, { data }) => sum + data.length, 0);
  expect(plans[0]).toMatchObject({ needed: true, bytes: 4 * floats });
  expect(plans[0]!.stored).toMatchObject({ F32: 1, F16: 1, BF16: 1, Q8_0: 1, Q4_K: 1 });

  const again = await widenedCopy(source, store, { blocks: "read" });
  expect(again.how).toBe("reused");
  expect(puts).toHaveLength(2);
});

test("4-bit blocks are refused before anything is written", async () => {
  const { store, puts } = watched();
  await expect(widenedCopy(source, store)).rejects.toMatchObject({ code: "format/gguf-blocks" });
  expect(puts).toEqual([]);
});

test("whole numbers and float64 stay; halves of a strided PyTorch file widen", async () => {
  const { store } = watched();
  const { file } = await widenedCopy({ store: golden, key: "torch-zip.pt" }, store);
  const types = Object.fromEntries([...file.entries.values()].map((e) => [e.name, e.dtype]));
  expect(types).toMatchObject({
    half: "float32",
    bfloat: "float32",
    transposed: "float32",
    double: "float64",
    long: "int64",
    bool: "bool",
  });
  const torch = JSON.parse(readFileSync("test/golden/formats/torch.json", "utf8"));
  expect([...(await file.read("transposed")).data]).toEqual(torch.transposed.data);
  // bfloat16 is the upper half of a float32.
  const wide = Float32Array.from((await file.read("bfloat")).data as Float32Array);
  expect([...new Uint32Array(wide.buffer)].map((bits) => bits / 65536)).toEqual(torch.bfloat.data);
});

test("float32 safetensors are used in place", async () => {
  const { store, puts } = watched();
  const from = memoryStore();
  await from.put("m.safetensors", encodeSafetensors({ w: f32([2], [1, 2]) }));
  const made = await widenedCopy({ store: from, key: "m.safetensors" }, store);
  expect(made).toMatchObject({ how: "in place", store: from, key: "m.safetensors" });
  expect(puts).toEqual([]);
});

/** Five tensors of 40 bytes once widened. */
async function halves(): Promise<Store> {
  const store = memoryStore();
  const one = (i: number) => tensor("float16", [10], new Uint16Array(10).fill(0x3c00 + i));
  const all = Object.fromEntries([..."abcde"].map((name, i) => [name, one(i)]));
  await store.put("m.safetensors", encodeSafetensors(all));
  return store;
}

test("what was interrupted continues with the next file; the size is said first", async () => {
  const from = { store: await halves(), key: "m.safetensors" };
  const { store, puts } = watched();
  const stop = new AbortController();
  const progress: Progress[] = [];
  const onProgress = (p: Progress) => {
    progress.push(p);
    if (p.done >= 120) stop.abort();
  };
  const options = { shardBytes: 80, onProgress };
  await expect(widenedCopy(from, store, { ...options, signal: stop.signal })).rejects.toMatchObject(
    { code: "run/interrupted" },
  );
  expect(progress[0]).toEqual({ stage: "widen", done: 0, total: 200, unit: "bytes" });
  expect(puts).toEqual(["model-00001-of-00003.safetensors"]);

  const made = await widenedCopy(from, store, options);
  expect(made.how).toBe("written");
  expect(progress.at(-1)!.done).toBe(200);
  expect(puts).toEqual([
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
    "model-00003-of-00003.safetensors",
    "model.safetensors.index.json",
    "manifest.json",
  ]);
  expect([...made.file.entries.keys()]).toEqual([..."abcde"]);
  expect((await made.file.read("e")).data[9]).toBe(1 + 4 / 1024);
  expect((await widenedCopy(from, store, options)).how).toBe("reused");
});

test("a copy of which a part was removed is completed, and another source has another copy", async () => {
  const from = { store: await halves(), key: "m.safetensors" };
  const { store, puts } = watched();
  await widenedCopy(from, store, { shardBytes: 80 });
  const part = (await store.list()).find((key) => key.includes("00002"))!;
  await store.delete(part);
  puts.length = 0;
  expect((await widenedCopy(from, store, { shardBytes: 80 })).how).toBe("written");
  expect(puts[0]).toBe("model-00002-of-00003.safetensors");
  const other = memoryStore();
  const half = tensor("float16", [1], Uint16Array.of(1));
  await other.put("m.safetensors", encodeSafetensors({ a: half }));
  const made = await widenedCopy({ store: other, key: "m.safetensors" }, store);
  expect(made.how).toBe("written");
  expect((await made.file.read("a")).data[0]).toBe(2 ** -24);
});
