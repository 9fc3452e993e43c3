// How a sample of an op is drawn: leaves of random shapes, what fills them, and what is built of them.
import fc from "fast-check";
import type { sum } from "../src/graph/ops/broadcast.ts";
import type { Operand } from "../src/graph/ops/pointwise.ts";
import type { Value } from "../src/graph/value.ts";

/** What a leaf is filled with. `apart`: distinct numbers, none within 0.1 of another or of 0. */
export type Fill = "normal" | "positive" | "apart" | "condition" | { below: number };

export interface Leaf {
  shape: readonly number[];
  fill: Fill;
}

export interface Sample {
  leaves: readonly Leaf[];
  build: (leaves: Value[]) => Value;
  seed: number;
}

export type Draw = fc.Arbitrary<Sample>;

export const side = fc.integer({ min: 1, max: 4 });
export const anyShape = fc.array(side, { minLength: 0, maxLength: 3 });
export const someShape = fc.array(side, { minLength: 1, maxLength: 3 });
export const seed = fc.integer({ min: 1, max: 1e6 });

/** Two shapes that broadcast. */
export const pairOfShapes = anyShape.chain((shape) =>
  fc
    .tuple(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), fc.nat({ max: 2 }))
    .map(([kept, dropped]) => {
      const thin = (from: number) => shape.map((n, i) => (kept[from + i] ? n : 1));
      return [thin(0), thin(3).slice(Math.min(dropped, shape.length))] as const;
    }),
);

export const shapeAndAxis = someShape.chain((shape) =>
  fc.tuple(fc.constant(shape), fc.nat({ max: shape.length - 1 })),
);

export function unary(make: (x: Value) => Value, fill: Fill = "normal"): Draw {
  return fc.record({ shape: anyShape, seed }).map(({ shape, seed }) => ({
    leaves: [{ shape, fill }],
    build: ([x]) => make(x!),
    seed,
  }));
}

export function binary(make: (a: Operand, b: Operand) => Value, fills: [Fill, Fill]): Draw {
  return fc.record({ shapes: pairOfShapes, seed }).map(({ shapes: [a, b], seed }) => ({
    leaves: [
      { shape: a, fill: fills[0] },
      { shape: b, fill: fills[1] },
    ],
    build: ([x, y]) => make(x!, y!),
    seed,
  }));
}

export function along(
  make: (x: Value, axis: number, flag: boolean) => Value,
  fill: Fill = "normal",
): Draw {
  return fc
    .record({ at: shapeAndAxis, flag: fc.boolean(), seed })
    .map(({ at: [shape, axis], flag, seed }) => ({
      leaves: [{ shape, fill }],
      build: ([x]) => make(x!, axis, flag),
      seed,
    }));
}

export function reduction(make: typeof sum, fill: Fill = "normal"): Draw {
  return someShape.chain((shape) =>
    fc
      .record({ axes: fc.subarray(shape.map((_, i) => i)), keepDims: fc.boolean(), seed })
      .map(({ axes, keepDims, seed }) => ({
        leaves: [{ shape, fill }],
        build: ([x]) => make(x!, { axes, keepDims }),
        seed,
      })),
  );
}
