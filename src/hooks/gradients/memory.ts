// How much memory a graph takes while it runs: what is alive at the fullest moment.
import { check } from "../../base/errors.ts";
import type { Value } from "../../graph/index.ts";
import { takeShortcuts } from "../../graph/simplify.ts";
import { reachable } from "../../graph/value.ts";
import { bytesPerElement, sizeOf } from "../../tensor/tensor.ts";

export interface MemoryEstimate {
  /** Values on the way, at the fullest moment of a run in order of creation, with `slack`. */
  readonly work: number;
  /** What comes out, twice: once with the engine, once with us. */
  readonly outputs: number;
  /** The two together. Weights are not counted: they are there already. */
  readonly total: number;
}

/**
 * The engine's memory grows in steps, and it runs in an order of its own. Measured with ONNX Runtime
 * 1.30: 1.6 for GPT-2 small at 4 × 128 and 1.75 for a model of 4 layers, sites only; 1.2 with all weights.
 */
const slack = 1.75;

/** Share their input's memory, or melt into what reads them. */
const free = new Set(["reshape", "squeeze", "unsqueeze", "expand", "input", "weight", "constant"]);

export function estimateMemory(outputs: Readonly<Record<string, Value>>): MemoryEstimate {
  const roots = takeShortcuts(Object.values(outputs));
  const order = reachable(roots);
  const bytes = (value: Value): number =>
    free.has(value.op) ? 0 : sizeOf(value.shape) * bytesPerElement[value.dtype];
  /** What holds the memory of a value: itself, or what it is a view of. */
  const owner = new Map<number, Value>();
  for (const value of order) {
    const [from] = value.inputs;
    owner.set(value.id, free.has(value.op) && from !== undefined ? owner.get(from.id)! : value);
  }
  const last = new Map<number, number>();
  order.forEach((value, i) => {
    for (const from of value.inputs) last.set(owner.get(from.id)!.id, i);
  });
  for (const root of roots) last.set(owner.get(root.id)!.id, Number.POSITIVE_INFINITY);
  const ending = new Map<number, number>();
  for (const value of order) {
    const end = last.get(value.id);
    if (end !== undefined) ending.set(end, (ending.get(end) ?? 0) + bytes(value));
  }
  let alive = 0;
  let work = 0;
  order.forEach((value, i) => {
    alive += bytes(value);
    work = Math.max(work, alive);
    alive -= ending.get(i) ?? 0;
  });
  work = Math.ceil(work * slack);
  const out =
    2 * roots.reduce((all, { shape, dtype }) => all + sizeOf(shape) * bytesPerElement[dtype], 0);
  return { work, outputs: out, total: work + out };
}

/** What would fit, each on its own: asked only when something does not. */
export interface Alternatives {
  rows?: () => number | undefined;
  positions?: () => number | undefined;
  /** The estimate without the sites and weights asked for. */
  bare?: () => number;
}

/** Errors: `gradients/memory`, with what would fit. */
export function checkMemory(
  { total, outputs }: MemoryEstimate,
  limit: number,
  { rows, positions, bare }: Alternatives,
): void {
  if (total <= limit) return;
  const ways: string[] = [];
  const fewer = rows?.();
  if (fewer !== undefined && fewer > 0) ways.push(`${fewer} rows at a time`);
  const shorter = positions?.();
  if (shorter !== undefined && shorter > 0) ways.push(`rows of ${shorter} positions`);
  const least = bare?.();
  if (least !== undefined && least <= limit)
    ways.push(`fewer sites and weights (without any: ${mebibytes(least)})`);
  check(false, "gradients/memory", "these gradients do not fit into the memory that is allowed", {
    got: `about ${mebibytes(total)}, of which ${mebibytes(outputs)} come out`,
    wanted: `at most ${mebibytes(limit)}`,
    hint: `${ways.join(", or ") || "a smaller model"}; or raise memoryLimit`,
  });
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}
