// Which ONNX operators we understand: one entry a (domain, operator, versions), and for which types.
import { fail } from "../../base/errors.ts";
import type { DType } from "../../tensor/tensor.ts";
import { attentions } from "./attend.ts";
import type { OnnxOp } from "./call.ts";
import { convolutions } from "./convolve.ts";
import { indexing } from "./indexing.ts";
import { layout } from "./layout.ts";
import { products } from "./linear.ts";
import { losses } from "./losses.ts";
import { fused } from "./microsoft.ts";
import { normalizations } from "./normalize.ts";
import { pointwise } from "./pointwise.ts";
import { quantizations } from "./quantize.ts";
import { recurrents } from "./recurrent.ts";
import { reductions } from "./reduce.ts";
import { resizing } from "./resize.ts";
import { signals } from "./signal.ts";

/** Every entry, sorted by name. */
export const onnxOps: readonly OnnxOp[] = [
  ...pointwise,
  ...layout,
  ...indexing,
  ...reductions,
  ...products,
  ...convolutions,
  ...normalizations,
  ...resizing,
  ...attentions,
  ...recurrents,
  ...losses,
  ...quantizations,
  ...signals,
  ...fused,
].sort((a, b) => (keyOf(a.domain, a.op) < keyOf(b.domain, b.op) ? -1 : 1));

const byKey = new Map<string, OnnxOp[]>();
for (const op of onnxOps) {
  const key = keyOf(op.domain, op.op);
  const others = byKey.get(key) ?? [];
  const overlap = others.find(
    ({ versions: [from, to] }) => from <= op.versions[1] && op.versions[0] <= to,
  );
  if (overlap !== undefined) fail("onnx/twice", `two entries read ${key}`);
  byKey.set(key, [...others, op]);
}

/** "Add", "com.microsoft:Gelu". */
export function keyOf(domain: string, op: string): string {
  return domain === "" || domain === "ai.onnx" ? op : `${domain}:${op}`;
}

export function findOnnxOp(domain: string, op: string, version: number): OnnxOp | undefined {
  return byKey
    .get(keyOf(domain, op))
    ?.find(({ versions: [from, to] }) => from <= version && version <= to);
}

/** Every (operator, type) pair that we claim. */
export function claims(): { key: string; type: DType }[] {
  return onnxOps.flatMap((op) => op.types.map((type) => ({ key: keyOf(op.domain, op.op), type })));
}
