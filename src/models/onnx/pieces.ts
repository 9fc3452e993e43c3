// What several entries of the operator table are made of: places of an axis, lines, linear maps.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { filled, range, wholes } from "./entries.ts";

/** Places of an axis, which are known beforehand. */
export function pick(x: Value, axis: number, places: readonly number[]): Value {
  const n = x.shape[axis]!;
  if (places.length === n && places.every((at, i) => at === i)) return x;
  return g.gather(x, wholes(places), { axis });
}

export function flip(x: Value, axis: number): Value {
  return pick(x, axis, range(x.shape[axis]!).reverse());
}

/** Moves an axis to the end, does something there, and moves it back. */
export function atEnd(x: Value, axis: number, make: (x: Value) => Value): Value {
  const rank = x.shape.length;
  const there = [...range(rank).filter((i) => i !== axis), axis];
  const out = make(g.transpose(x, there));
  return g.transpose(
    out,
    range(rank).map((i) => there.indexOf(i)),
  );
}

/** Multiplies an axis by a matrix [new places, places], which is known beforehand. */
export function mapAxis(
  x: Value,
  axis: number,
  places: number,
  of: (to: number, from: number) => number,
): Value {
  const n = x.shape[axis]!;
  const matrix = filled(x.dtype, [n, places], (i) => of(i % places, Math.floor(i / places)));
  return atEnd(x, axis, (line) => {
    const flat = g.matmul(g.reshape(line, [-1, n]), matrix);
    return g.reshape(flat, [...line.shape.slice(0, -1), places]);
  });
}

/** Products along axes, as a tree: exact gradients, also where a factor is 0. */
export function product(x: Value, axes: readonly number[], keepDims: boolean): Value {
  let out = x;
  for (const axis of axes)
    while (out.shape[axis]! > 1) {
      const n = out.shape[axis]!;
      const half = n >> 1;
      const pairs = g.mul(
        g.slice(out, { axis, end: half }),
        g.slice(out, { axis, start: half, end: 2 * half }),
      );
      out = n % 2 === 0 ? pairs : g.concat([pairs, g.slice(out, { axis, start: n - 1 })], { axis });
    }
  return keepDims ? out : g.squeeze(out, axes);
}

/** Softmax over all axes from `axis` on, as before opset 13. */
export function overTail(x: Value, axis: number, make: (x: Value) => Value): Value {
  const from = axis < 0 ? axis + x.shape.length : axis;
  const rows = x.shape.slice(0, from).reduce((n, m) => n * m, 1);
  return g.reshape(make(g.reshape(x, [rows, -1])), x.shape);
}

/** Numbers a channel, beside an image: [c] → [c, 1, …]. */
export function perChannel(v: Value, x: Value): Value {
  return g.reshape(v, [-1, ...x.shape.slice(2).map(() => 1)]);
}
