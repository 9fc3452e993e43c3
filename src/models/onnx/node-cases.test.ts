// ONNX's own cases of one node: the reference and ONNX Runtime both give what ONNX expects.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judge, readCases } from "../../../test/onnx-cases.ts";
import { ortBackend } from "../../runtime/ort.ts";

const archive = new URL(
  "../../../../shared/data/fixtures/onnx-node-tests-v1.22.0.tar.gz",
  import.meta.url,
);

test("every tenth of ONNX's node cases gives the expected numbers, twice", async (context) => {
  if (!existsSync(archive)) context.skip("the archive of ONNX's node tests is not on this machine");
  const backend = ortBackend({ threads: 1, cacheBytes: 1 });
  const verdicts = { passed: 0, failed: 0, refused: 0, skipped: 0 };
  for (const [i, one] of readCases(readFileSync(archive)).entries()) {
    if (i % 10 !== 0) continue;
    const { name, verdict, why } = await judge(one, backend);
    verdicts[verdict] += 1;
    expect(verdict, `${name}: ${why}`).not.toBe("failed");
  }
  // What is not claimed must not grow unseen.
  expect(verdicts.passed).toBeGreaterThan(2 * verdicts.skipped);
}, 60_000);
