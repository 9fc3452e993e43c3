// How a number changes with what it was made from: reverse-mode gradients as values.
import { check, fail } from "../base/errors.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { opOf } from "./op.ts";
import { add } from "./ops/arithmetic.ts";
import { expand } from "./ops/broadcast.ts";
import { sameShape } from "./shape.ts";
import { isFloat, reachable, scalar, showShape, showSpecs, type Value } from "./value.ts";

/**
 * d loss / d each of `wrt`, which may be any values on the way, of the same shapes. Where nothing
 * depends on a value its gradient is zeros. With `cotangent` [loss.shape], the gradient of
 * Σ cotangent · loss, and the loss may have axes. Made of ordinary ops: take the gradient again.
 */
export function grad(
  loss: Value,
  wrt: readonly Value[],
  { cotangent }: { cotangent?: Value } = {},
): Value[] {
  check(isFloat(loss.dtype), "grad/loss", "grad: the loss is not a float", {
    got: showSpecs([loss]),
    wanted: "a float of one element",
  });
  const seed = cotangent ?? expand(scalar(1, loss.dtype), loss.shape);
  if (cotangent === undefined)
    check(sizeOf(loss.shape) === 1, "grad/loss", "grad: the loss is not one number", {
      got: showShape(loss.shape),
      wanted: "one element; sum or mean it, or give a cotangent",
    });
  check(sameShape(seed.shape, loss.shape), "grad/cotangent", "grad: the cotangent does not fit", {
    got: showShape(seed.shape),
    wanted: showShape(loss.shape),
  });

  const wanted = new Set(wrt.map((value) => value.id));
  const order = reachable([loss]);
  // Only what lies between `wrt` and the loss carries a gradient.
  const between = new Set<number>();
  for (const value of order)
    if (wanted.has(value.id) || value.inputs.some(({ id }) => between.has(id)))
      between.add(value.id);

  const grads = new Map<number, Value>([[loss.id, seed]]);
  for (const value of order.reverse()) {
    const arrived = grads.get(value.id);
    const op = opOf(value);
    if (arrived === undefined || op === undefined) continue;
    if (!value.inputs.some(({ id }) => between.has(id))) continue;
    if (op.vjp === undefined) continue;
    const parts = op.vjp(arrived, value);
    value.inputs.forEach((from, i) => {
      const part = parts[i];
      if (part === undefined || !between.has(from.id)) return;
      if (!sameShape(part.shape, from.shape))
        fail("grad/shape", `${value.op}: its gradient has another shape than its input`, {
          got: showShape(part.shape),
          wanted: showShape(from.shape),
        });
      const before = grads.get(from.id);
      grads.set(from.id, before === undefined ? part : add(before, part));
    });
  }
  return wrt.map((value) => grads.get(value.id) ?? expand(scalar(0, value.dtype), value.shape));
}
