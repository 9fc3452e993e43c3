// All of ONNX's own cases of one node: how many give the expected numbers, and why the others do not.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Judged, judge, readCases } from "../../../test/onnx-cases.ts";
import { ortBackend } from "../../runtime/ort.ts";

const archive = new URL(
  "../../../../shared/data/fixtures/onnx-node-tests-v1.22.0.tar.gz",
  import.meta.url,
);

test("all of ONNX's node cases that we claim give the expected numbers", async (context) => {
  if (!existsSync(archive)) context.skip("the archive of ONNX's node tests is not on this machine");
  const backend = ortBackend({ threads: 1, cacheBytes: 1 });
  const judged: Judged[] = [];
  for (const one of readCases(readFileSync(archive))) judged.push(await judge(one, backend));
  const of = (verdict: string) => judged.filter((one) => one.verdict === verdict);
  expect(of("failed")).toEqual([]);
  // Dropout that drops at random: documented as a limit of the entry.
  expect(of("refused").map(({ name }) => name)).toEqual([
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
  ]);
  expect(of("passed").length).toBeGreaterThanOrEqual(1250);
});
