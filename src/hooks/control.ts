// What would steering have done along no direction in particular? The control of every steer.
import type { Random } from "../base/random.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import type { Intervention } from "./interventions.ts";
import { type Feeds, mapTensors } from "./sources.ts";

/** The list with every steered direction replaced by a normal random one, as long along its last axis. */
export function withRandomDirections(
  list: readonly Intervention[],
  random: Random,
  { feeds = {} }: { feeds?: Feeds } = {},
): Intervention[] {
  return list.map((by) =>
    by.kind === "steer"
      ? { ...by, direction: mapTensors(by.direction, feeds, (of) => randomLike(of, random)) }
      : by,
  );
}

function randomLike({ shape, data }: Tensor<"float32">, random: Random): Tensor<"float32"> {
  const width = shape.at(-1) ?? 1;
  const drawn = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
  const norm = (of: Float32Array): number => Math.sqrt(of.reduce((sum, x) => sum + x * x, 0));
  for (let i = 0; i < drawn.length; i += width) {
    const row = drawn.subarray(i, i + width);
    const factor = norm(data.subarray(i, i + width)) / norm(row);
    row.forEach((x, j) => {
      row[j] = factor * x;
    });
  }
  return tensor("float32", shape, drawn);
}
