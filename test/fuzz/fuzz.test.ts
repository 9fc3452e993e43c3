import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";
import { readers } from "./readers.ts";

test.each(readers)("$name: 2,000 bad files are refused or read, nothing else", async (reader) => {
  const { accepted, refused } = await fuzz(reader, 0, 2000);
  expect(accepted + refused).toBe(2000);
  // Were all refused at the door, nothing behind it would be tested.
  expect(accepted).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(200);
});
