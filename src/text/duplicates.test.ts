import { expect, test } from "vitest";
import type { Document } from "./document.ts";
import { findDuplicates } from "./duplicates.ts";

const document = (id: string, text: string): Document => ({
  id,
  text,
  context: "x",
  source: "file",
  split: "grow",
});

test("a stretch in two documents is found once, as long as it is, across line ends", () => {
  const shared = "the harbour master counts the boats at dusk";
  const found = findDuplicates(
    [
      document("one", `Every evening ${shared}, and then he sleeps.`),
      document("two", `Nothing of the kind stands here, not even half of it.`),
      document("three", `It is said that ${shared.replaceAll(" ", "\n")}; but who knows?`),
    ],
    20,
  );
  expect(found).toEqual([{ a: "one", b: "three", text: ` ${shared}` }]);
});

test("a stretch that a document repeats within itself is its own affair", () => {
  expect(findDuplicates([document("one", "so it goes, ".repeat(20))], 20)).toEqual([]);
});
