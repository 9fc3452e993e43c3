import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeError, isError } from "../../base/errors.ts";
import { folderStore } from "../../storage/folder.ts";
import { memoryStore } from "../../storage/memory.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { decodeStored } from "../stored.ts";
import { openTorch } from "./torch.ts";
import { zipOf } from "./zip.fixture.ts";

const golden = folderStore("test/golden/formats");

interface Expected {
  dtype: string;
  shape: number[];
  data: number[];
}
const expected = JSON.parse(readFileSync("test/golden/formats/torch.json", "utf8")) as Record<
  string,
  Expected
>;

// Our types for PyTorch's: small integers widen.
const as: Record<string, string> = {
  int16: "int32",
  int8: "int32",
  uint16: "int32",
  uint32: "int64",
};
const numbers = ({ data }: Tensor): number[] => Array.from(data as ArrayLike<number>, Number);

async function codeOf(open: Promise<unknown>): Promise<string> {
  return open.then(
    () => "accepted",
    (error) => (isError(error) ? error.code : String(error)),
  );
}

describe("a state dict that torch.save wrote", () => {
  const names = ["zip", "legacy", "zip-3", "zip-4", "zip-5"];
  test.each(names)("torch-%s.pt: every view, type and name", async (name) => {
    const file = await openTorch(golden, `torch-${name}.pt`);
    expect([...file.entries.keys()]).toEqual(Object.keys(expected));
    for (const [key, { dtype, shape, data }] of Object.entries(expected)) {
      const entry = file.entries.get(key)!;
      const tensor = await file.read(key);
      expect([key, tensor.dtype, tensor.shape]).toEqual([key, as[dtype] ?? dtype, shape]);
      expect([key, numbers(tensor)]).toEqual([key, data]);
      expect(tensor.dtype).toBe(entry.dtype);
      if (entry.range === undefined) continue;
      const bytes = await golden.getRange(entry.file, ...entry.range);
      expect(decodeStored(entry.stored, entry.shape, bytes)).toEqual(tensor);
    }
    // What lies there as it stands can be mapped in place; what is strided or widened cannot.
    const ranged = [...file.entries.values()].filter(({ range }) => range).map((e) => e.name);
    expect(ranged).toContain("plain");
    expect(ranged).toContain("shared.whole");
    for (const name of ["transposed", "sliced", "expanded", "short", "char"])
      expect(ranged).not.toContain(name);
  });
});

test.each(["torch-nested.pt", "torch-zip64.pt"])(
  "%s: nested dicts are names with dots",
  async (name) => {
    const file = await openTorch(golden, name);
    expect([...file.entries.keys()]).toEqual([
      "model.w",
      "model.b",
      "optimizer.state.0.exp_avg",
      "optimizer.state.0.step",
      "history.0",
    ]);
    expect(numbers(await file.read("model.w"))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(Object.fromEntries(file.values)).toEqual({
      epoch: 3,
      lr: 1e-3,
      best: null,
      done: true,
      big: 2n ** 70n,
      betas: [0.9, 0.999],
      size: [2, 3],
      "optimizer.groups.0.params": [0],
      "history.1": 5,
    });
  },
);

test("types without a storage class are rebuilt from untyped bytes", async () => {
  const file = await openTorch(golden, "torch-v3.pt");
  expect(await file.read("u32")).toMatchObject({ dtype: "int64", shape: [2] });
  expect(numbers(await file.read("u32"))).toEqual([1, 2 ** 32 - 1]);
  expect(numbers(await file.read("u16"))).toEqual([65535]);
});

describe("what is refused", () => {
  test.each(["torch-evil.pt", "torch-evil-legacy.pt"])(
    "%s calls os.system: refused, and said",
    async (name) => {
      const error = await openTorch(golden, name).catch((e) => e);
      expect(error.code).toBe("format/torch-call");
      expect(error.got).toMatch(/^(posix|nt)\.system$/);
      expect(describeError(error)).toMatch(/posix\.system/);
      expect(existsSync("/tmp/micrographia-owned")).toBe(false);
    },
  );

  test("a module, a big-endian, a compressed and a foreign file, each by its code", async () => {
    const error = await openTorch(golden, "torch-module.pt").catch((e) => e);
    expect([error.code, error.got]).toEqual([
      "format/torch-call",
      "torch.nn.modules.linear.Linear",
    ]);
    expect(await codeOf(openTorch(golden, "torch-big-endian.pt"))).toBe("format/torch-endian");
    expect(await codeOf(openTorch(golden, "torch-deflated.pt"))).toBe("format/zip-stored");
    expect(await codeOf(openTorch(golden, "small.gguf"))).toBe("format/torch");
    expect(await codeOf(openTorch(golden, "absent.pt"))).toBe("storage/missing");
    const file = await openTorch(golden, "torch-v3.pt");
    expect(await codeOf(file.read("nope"))).toBe("format/name");
  });

  // Pickles by hand, in a zip archive that holds nothing else.
  const hostile: [string, string, string][] = [
    [
      "a global through STACK_GLOBAL",
      "\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
      "format/torch-call",
    ],
    ["a call of a dtype", "\x80\x02ctorch\nfloat32\n)R.", "format/torch-call"],
    ["an INST opcode", "\x80\x02(ios\nsystem\n.", "format/torch-opcode"],
    ["an extension", "\x80\x02\x82\x01.", "format/torch-opcode"],
    ["a set", "\x80\x04\x8f.", "format/torch-opcode"],
    ["the state of a name", "\x80\x02ctorch\nSize\n}b.", "format/torch-call"],
    ["a pop below a mark", "\x80\x02N(0.", "format/torch-pickle"],
    ["an unknown reference", "\x80\x02h\x05.", "format/torch-pickle"],
    ["an endless whole number", "\x80\x02\x8b\xff\xff\xff\x7f.", "format/torch-pickle"],
    ["a text beyond the file", "\x80\x02X\xff\xff\xff\x7f.", "format/torch-length"],
    ["no end", "\x80\x02NN", "format/torch-length"],
    ["protocol 0", "I1\n.", "format/torch-pickle"],
    ["protocol 9", "\x80\x09N.", "format/torch-pickle"],
    ["a list in itself", "\x80\x02]q\x00h\x00a.", "format/torch-size"],
    ["a tuple that is appended to", "\x80\x02N\x85Na.", "format/torch-pickle"],
    ["names that double at every level", doubling(15), "format/torch-size"],
    ["too many lists", `\x80\x02(${"]".repeat(1_000_001)}t.`, "format/torch-size"],
  ];
  test.each(hostile)("%s", async (_, pickle, code) => {
    const store = memoryStore();
    await store.put("x.pt", zipOf({ "x/data.pkl": Buffer.from(pickle, "latin1") }));
    expect(await codeOf(openTorch(store, "x.pt"))).toBe(code);
  });
});

/** {"a": x, "b": x} of {"a": y, "b": y} of …: few bytes, 2^levels names. */
function doubling(levels: number): string {
  return `\x80\x02]${"q\x000}(U\x01ah\x00U\x01bh\x00u".repeat(levels)}.`;
}
