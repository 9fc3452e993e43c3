// Every (operator, type) pair that we claim has a case, and gives what ONNX's reference gave for it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judge, readCases } from "../../../test/onnx-cases.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { claims, findOnnxOp, keyOf, onnxOps } from "./table.ts";

// Written by scripts/golden/onnx_cases.py: `<operator>_<type>` each.
const archive = new URL("../../../test/golden/onnx/cases.tar.gz", import.meta.url);
const cases = readCases(readFileSync(archive));

test("every claimed pair of ONNX itself has a case of its own", () => {
  const claimed = claims().filter(({ key }) => !key.includes(":"));
  expect(cases.map(({ name }) => name)).toEqual(
    claimed.map(({ key, type }) => `${key}_${type}`).sort(),
  );
});

test("the float64 reference and ONNX Runtime give what each case expects", async () => {
  const backend = ortBackend({ threads: 1, cacheBytes: 1 });
  for (const one of cases) {
    const { name, verdict, why } = await judge(one, backend);
    expect(verdict, `${name}: ${why}`).toBe("passed");
  }
}, 60_000);

test("at least 110 operators are claimed, and each is found by its versions", () => {
  expect(new Set(claims().map(({ key }) => key)).size).toBeGreaterThanOrEqual(110);
  for (const op of onnxOps)
    for (const version of op.versions)
      expect(findOnnxOp(op.domain, op.op, version), keyOf(op.domain, op.op)).toBe(op);
});
