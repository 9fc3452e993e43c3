// The hash is MurmurHash3 x86 128: vectors from the Python package mmh3 5 and murmurhash3js.
import { expect, test } from "vitest";
import { hashBytes } from "./hash.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test.each([
  ["", "00000000000000000000000000000000"],
  ["The quick brown fox jumps over the lazy dog", "2f1583c3ecee2c675d7bf66ce5e91d2c"],
  ["I will not buy this record, it is scratched.", "a0a9683b25ac5e40d9af2895890dddf5"],
])("of %j", (text, wanted) => {
  expect(hashBytes(bytes(text))).toBe(wanted);
});

test("depends on the bytes of a view, not on where they lie", () => {
  const inside = bytes("..micrographia..").subarray(2, 14);
  expect(hashBytes(inside)).toBe(hashBytes(bytes("micrographia")));
});
