import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";
import { readers } from "./readers.ts";

test.each(readers)("$name: 100,000 bad files are refused or read, nothing else", async (reader) => {
  const { accepted, refused, codes } = await fuzz(reader, 2000, 102_000);
  expect(accepted + refused).toBe(100_000);
  console.log(`${reader.name}: ${accepted} read, refused ${JSON.stringify(codes)}`);
});
