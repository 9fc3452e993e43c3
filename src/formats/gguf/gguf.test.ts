import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isError } from "../../base/errors.ts";
import { folderStore } from "../../storage/folder.ts";
import { memoryStore } from "../../storage/memory.ts";
import { toFloat32 } from "../../tensor/half.ts";
import { openGguf } from "./gguf.ts";

const golden = folderStore("test/golden/formats");
const expected = JSON.parse(readFileSync("test/golden/formats/gguf.json", "utf8")) as Record<
  string,
  { stored: string; shape: number[]; data: number[] }
>;

describe("a file that the gguf package wrote", () => {
  test.each(Object.keys(expected))(
    "%s has the values that the package reads, bit for bit",
    async (name) => {
      const { stored, shape, data } = expected[name]!;
      const file = await openGguf(golden, "small.gguf", { blocks: "read" });
      expect(file.entries.get(name)!.stored).toBe(stored);
      const tensor = toFloat32(await file.read(name));
      expect(tensor.shape).toEqual(shape);
      expect(tensor.data).toEqual(Float32Array.from(data));
    },
  );

  test("metadata keep their types", async () => {
    const { metadata, version } = await openGguf(golden, "small.gguf");
    expect(version).toBe(3);
    expect(metadata.get("general.architecture")).toBe("llama");
    expect(metadata.get("general.name")).toBe("маленькая 小");
    expect(metadata.get("llama.block_count")).toBe(2);
    expect(metadata.get("llama.rope.freq_base")).toBe(10000);
    expect(metadata.get("test.flag")).toBe(true);
    expect(metadata.get("test.big")).toBe(2n ** 60n);
    expect(metadata.get("test.small")).toBe(-5);
    expect(metadata.get("tokenizer.ggml.tokens")).toEqual(["<unk>", "▁a", "é"]);
    expect(metadata.get("tokenizer.ggml.scores")).toEqual(Float32Array.of(0, -1.5, -2.25));
    expect(metadata.get("test.counts")).toEqual(Int32Array.of(1, 2, 3));
  });

  test("blocks of fewer than 8 bits are read on request only", async () => {
    const file = await openGguf(golden, "small.gguf");
    expect((await file.read("q8_0")).dtype).toBe("float32");
    for (const name of ["q4_0", "q4_k", "q6_k"])
      await expect(file.read(name)).rejects.toMatchObject({ code: "format/gguf-blocks" });
  });

  test("float32 can be mapped where it lies", async () => {
    const file = await openGguf(golden, "small.gguf");
    const { range } = file.entries.get("f32")!;
    expect(range![0] % 32).toBe(0);
    const bytes = await golden.getRange("small.gguf", ...range!);
    expect(new Float32Array(bytes.slice().buffer)).toEqual((await file.read("f32")).data);
    expect(file.entries.get("q8_0")!.range).toBeUndefined();
  });
});

/** Header fields by hand: u32, u64 (bigint) and texts with their length. */
function head(...fields: (number | bigint | string)[]): Uint8Array {
  const parts = fields.map((field) => {
    if (typeof field === "string") {
      const text = Buffer.from(field);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      return Buffer.concat([length, text]);
    }
    const made = Buffer.alloc(typeof field === "number" ? 4 : 8);
    if (typeof field === "number") made.writeUInt32LE(field);
    else made.writeBigUInt64LE(field);
    return made;
  });
  return Buffer.concat(parts);
}

const magic = 0x46554747;
const tensor = (dims: bigint[], type: number, offset: bigint) =>
  head(magic, 3, 1n, 0n, "w", dims.length, ...dims, type, offset);

test.each<[string, Uint8Array, string]>([
  ["another magic", head(0x46554746, 3, 0n, 0n), "format/gguf"],
  ["version 1", head(magic, 1, 0, 0), "format/gguf-version"],
  ["big-endian", head(magic, 0x03000000, 0n, 0n), "format/gguf-version"],
  ["more tensors than fit", head(magic, 3, 2n ** 40n, 0n), "format/gguf-length"],
  ["a count beyond all numbers", head(magic, 3, 2n ** 63n, 0n), "format/gguf-length"],
  ["an array of 2^50 bytes", head(magic, 3, 0n, 1n, "a", 9, 0, 2n ** 50n), "format/gguf-length"],
  ["a text beyond the file", head(magic, 3, 0n, 1n, 2n ** 40n, 0, 0), "format/gguf-length"],
  ["an unknown value type", head(magic, 3, 0n, 1n, "a", 99, 0), "format/gguf-metadata"],
  [
    "arrays in arrays in arrays",
    head(
      magic,
      3,
      0n,
      1n,
      "a",
      9,
      ...Array.from({ length: 6 }, () => [9, 1n] as const).flat(),
      0,
      0n,
    ),
    "format/gguf-metadata",
  ],
  [
    "an alignment of zero",
    head(magic, 3, 0n, 1n, "general.alignment", 4, 0),
    "format/gguf-metadata",
  ],
  ["a tensor beyond the file", tensor([4n], 0, 0n), "format/gguf-length"],
  ["a tensor of 2^120 elements", tensor([2n ** 52n, 2n ** 52n], 0, 0n), "format/gguf-length"],
  ["an unknown type", tensor([4n], 77, 0n), "format/gguf-dtype"],
  ["a type that is not read", tensor([256n], 16, 0n), "format/gguf-dtype"],
  ["rows of half a block", tensor([48n], 8, 0n), "format/gguf-tensor"],
  ["an odd offset", tensor([0n], 0, 3n), "format/gguf-tensor"],
  ["nine axes", head(magic, 3, 1n, 0n, "w", 9, 0n, 0n, 0n), "format/gguf-tensor"],
])("%s is refused", async (_, bytes, code) => {
  const store = memoryStore();
  await store.put("x", bytes);
  const error = await openGguf(store, "x").then(
    () => undefined,
    (e) => e,
  );
  expect(isError(error) && error.code).toBe(code);
});
