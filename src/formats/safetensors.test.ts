import { existsSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { folderStore } from "../storage/folder.ts";
import { memoryStore } from "../storage/memory.ts";
import { f32, tensor } from "../tensor/tensor.ts";
import { openTensors } from "./open.ts";
import {
  encodeSafetensors,
  readSafetensor,
  readSafetensors,
  readSafetensorsHeader,
  writeSafetensors,
} from "./safetensors.ts";
import { decodeStored } from "./stored.ts";

const fixtures = ["../shared/data/fixtures/safetensors"].find((path) => existsSync(path));

describe.skipIf(fixtures === undefined)("files of the reference implementation", () => {
  if (fixtures === undefined)
    console.warn("skipped: ../shared/data/fixtures/safetensors is absent");

  test("one file a dtype holds the values of the file with all", async () => {
    const store = folderStore(fixtures!);
    const { tensors, metadata } = await readSafetensors(store, "overall.safetensors");
    expect(metadata).toEqual({ test: "a" });
    for (const [name, value] of Object.entries(tensors)) {
      const own = await readSafetensors(store, `${name}.safetensors`);
      expect(own.tensors[name]).toEqual(value);
      expect(value.shape).toEqual([6]);
    }
    expect(tensors.f!.dtype).toBe("float32");
    expect(Object.keys(tensors).sort()).toEqual([..."BHIbdefhi"].sort());
  });
});

test("a header of any length is told from a pickle, which begins with the same byte", async () => {
  const store = memoryStore();
  const lengths = new Set<number>();
  for (let note = 0; note < 300; note++) {
    const bytes = encodeSafetensors({ x: f32([1], [note]) }, { note: "n".repeat(note) });
    lengths.add(bytes[0]!);
    await store.put("model.safetensors", bytes);
    expect((await openTensors(store, "model.safetensors")).format).toBe("safetensors");
  }
  expect(lengths).toContain(0x80);
});

/** A file with this header, then `data` bytes. */
function file(header: unknown, data: number): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

async function codeOf(bytes: Uint8Array): Promise<string> {
  const store = memoryStore();
  await store.put("x", bytes);
  return readSafetensorsHeader(store, "x").then(
    () => "accepted",
    (error) => error.code,
  );
}

test("hostile headers are refused, each with its code", async () => {
  const entry = (dtype: string, shape: unknown, data_offsets: unknown) => ({
    a: { dtype, shape, data_offsets },
  });
  expect(await codeOf(file(entry("F32", [2], [0, 8]), 8))).toBe("accepted");
  expect(await codeOf(new Uint8Array(5))).toBe("format/safetensors-length");
  expect(await codeOf(new Uint8Array(100).fill(255))).toBe("format/safetensors-length");
  const long = file({}, 0);
  new DataView(long.buffer).setBigUint64(0, 3n, true);
  expect(await codeOf(long.subarray(0, 10))).toBe("format/safetensors-length");
  expect(await codeOf(file("{not json", 0))).toBe("format/safetensors-json");
  expect(await codeOf(file("[1]", 0))).toBe("format/safetensors-json");
  expect(await codeOf(file("\u0000", 0))).toBe("format/safetensors-json");
  expect(await codeOf(file({ __metadata__: { a: 1 } }, 0))).toBe("format/safetensors-json");
  expect(await codeOf(file(entry("F31", [2], [0, 8]), 8))).toBe("format/safetensors-dtype");
  expect(await codeOf(file(entry("constructor", [2], [0, 8]), 8))).toBe("format/safetensors-dtype");
  expect(await codeOf(file(entry("F32", [-2], [0, 8]), 8))).toBe("format/safetensors-entry");
  expect(await codeOf(file(entry("F32", [3], [0, 8]), 8))).toBe("format/safetensors-entry");
  expect(await codeOf(file(entry("F32", [2], [8, 0]), 8))).toBe("format/safetensors-entry");
  expect(await codeOf(file(entry("F32", [2 ** 30, 2 ** 30], [0, 8]), 8))).toBe(
    "format/safetensors-entry",
  );
  expect(await codeOf(file(entry("F32", [4], [0, 16]), 8))).toBe("format/safetensors-layout");
  expect(await codeOf(file(entry("F32", [2], [0, 8]), 12))).toBe("format/safetensors-layout");
  expect(await codeOf(file(entry("F32", [1], [4, 8]), 8))).toBe("format/safetensors-layout");
  const two = {
    a: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    b: { dtype: "F32", shape: [2], data_offsets: [4, 12] },
  };
  expect(await codeOf(file(two, 12))).toBe("format/safetensors-layout");
});

test("random bytes are refused with our error, never with another", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      if (bytes.length >= 8) bytes.fill(0, 1, 8);
      expect(await codeOf(bytes)).toMatch(/^(format\/safetensors-|accepted)/);
    }),
  );
});

test("what is written is read back, whatever the type, name or emptiness", async () => {
  const store = memoryStore();
  const tensors = {
    bits: tensor("bool", [3], Uint8Array.of(1, 0, 1)),
    "__proto__.x": f32([2, 2], [1, -0, 3.5, Number.NaN]),
    big: tensor("int64", [1], BigInt64Array.of(-(2n ** 62n))),
    half: tensor("float16", [1, 3], Uint16Array.of(1, 2, 65535)),
    empty: f32([0, 4], []),
    scalar: tensor("float64", [], Float64Array.of(Math.PI)),
  };
  await writeSafetensors(store, "t", tensors, { ключ: "値" });
  const back = await readSafetensors(store, "t");
  expect({ ...back.tensors }).toEqual(tensors);
  expect(back.metadata).toEqual({ ключ: "値" });
  const header = await readSafetensorsHeader(store, "t");
  expect(header.entries.get("scalar")!.start % 8).toBe(0);
  expect(await readSafetensor(store, "t", header, "half")).toEqual(tensors.half);
  await expect(readSafetensor(store, "t", header, "nope")).rejects.toMatchObject({
    code: "format/safetensors-name",
  });
  expect(encodeSafetensors({}).length).toBe(16);
});

test("a Buffer at an odd place in its memory holds the same numbers", () => {
  const bytes = Buffer.from(new Uint8Array(Float32Array.of(0, 1.5, -2).buffer));
  for (let shift = 0; shift < 8; shift++) {
    const moved = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
    expect([...decodeStored("F32", [3], moved).data]).toEqual([0, 1.5, -2]);
  }
});
