// How do a plan's steps change a graph: a tap that rewrites site values, and the inputs that its numbers are fed to.
import { fail } from "../base/errors.ts";
import {
  add,
  and,
  constant,
  expand,
  greater,
  input,
  maximum,
  minimum,
  mul,
  reshape,
  sub,
  sum,
  type Value,
  where,
} from "../graph/index.ts";
import type { Tap } from "../models/index.ts";
import { f32, type Tensor } from "../tensor/tensor.ts";
import { type Masks, maskAxes } from "./masks.ts";
import { type Change, type Plan, type Step, slotsOf } from "./plan.ts";
import { rowsOf } from "./rows.ts";
import { type Slot, specOf } from "./slots.ts";

/**
 * The tap and the inputs for a program of `batch` rows. `check` comes after the forward pass and
 * refuses steps that it never reached, and sites that were to be read and were `missed`.
 */
export function tapOf(
  plan: Plan,
  batch: number,
): { tap: Tap; inputs: Value[]; check(missed?: readonly string[]): void } {
  const inputs = new Map<string, Value>();
  const read = (slot: Slot): Value => {
    const known = inputs.get(slot.name) ?? input(slot.name, ...specOf(slot, batch));
    inputs.set(slot.name, known);
    return known;
  };
  // Inputs are declared in the plan's order, whichever the forward pass reads first.
  for (const slot of slotsOf(plan)) read(slot);
  const spliced = new Map(
    plan.steps.flatMap(({ change }) =>
      change.kind === "splice" ? (change.splice.inputs ?? []).map((one) => [one.name, one]) : [],
    ) as [string, Value][],
  );
  const fired = new Set<Step>();
  const tap: Tap = (site, value) => {
    let out = value;
    for (const step of plan.steps) {
      if (step.site !== site) continue;
      fired.add(step);
      out = masked(changed(out, step, read), out, step, read);
    }
    return out;
  };
  return {
    tap,
    inputs: [...inputs.values(), ...spliced.values()],
    check(missed = []) {
      const silent = plan.steps.find((step) => !fired.has(step))?.site ?? missed[0];
      if (silent !== undefined)
        fail("site/never", `the forward pass never came to ${silent}`, {
          where: silent,
          hint: "this model computes it in another way: choose another site",
        });
    },
  };
}

/** What the plan's inputs are fed in a run of rows [from, from + n). */
export function feedsOf(plan: Plan, from: number, n: number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, tensor, perRow } of slotsOf(plan))
    feeds[name] = perRow ? rowsOf(tensor, from, n) : tensor;
  for (const { change } of plan.steps)
    if (change.kind === "splice") Object.assign(feeds, change.splice.feeds);
  return feeds;
}

type Read = (slot: Slot) => Value;

function changed(x: Value, { change, site }: Step, read: Read): Value {
  const made = newValue(x, change, read);
  if (made.shape.join() !== x.shape.join())
    fail("shape/intervention", "an intervention changed the shape of a site", {
      where: site,
      got: `[${made.shape.join(", ")}]`,
      wanted: `[${x.shape.join(", ")}]`,
    });
  return made;
}

function newValue(x: Value, by: Change, read: Read): Value {
  switch (by.kind) {
    case "zero":
      // Not a product with zero: scores hold infinities.
      return expand(constant(f32([], [0])), x.shape);
    case "set":
      return expand(read(by.value), x.shape);
    case "steer":
      return add(x, mul(read(by.direction), read(by.coefficient)));
    case "scale":
      return mul(x, read(by.factor));
    case "direction": {
      const unit = read(by.unit);
      const component = dot(x, unit);
      // Within the range nothing is added, to the bit.
      return add(x, mul(sub(within(component, by, read), component), unit));
    }
    case "feature": {
      const pre = add(dot(x, read(by.encode)), read(by.bias));
      const activation = where(greater(pre, read(by.threshold)), pre, 0);
      return add(x, mul(sub(within(activation, by, read), activation), read(by.decode)));
    }
    case "splice": {
      const features = by.splice.encode(x);
      const set = by.features;
      const used = set
        ? where(read(set.set), read(set.to), mul(features, read(set.factor)))
        : features;
      const out = by.splice.decode(used);
      // The error is x − decode(features): kept, the two reconstructions' difference is what is added.
      return by.keep ? add(x, sub(out, by.splice.decode(features))) : out;
    }
    case "edit":
      return by.edit(x);
  }
}

/** x · d along the last axis, which stays with length one. */
function dot(x: Value, d: Value): Value {
  return sum(mul(x, d), { axes: [x.shape.length - 1], keepDims: true });
}

function within(x: Value, { min, max }: { min: Slot; max: Slot }, read: Read): Value {
  return minimum(maximum(x, read(min)), read(max));
}

/** The changed value where every mask holds, elsewhere the old one to the bit. */
function masked(made: Value, old: Value, { masks, row }: Step, read: Read): Value {
  let mask: Value | undefined;
  for (const [what, slot] of Object.entries(masks) as [keyof Masks, Slot][]) {
    const shape = old.shape.map(() => 1);
    const fed = read(slot);
    const axis = maskAxes[what](row);
    shape[axis] = old.shape[axis]!;
    if (what === "place") shape[0] = old.shape[0]!;
    const along = reshape(fed, shape);
    mask = mask === undefined ? along : and(mask, along);
  }
  return mask === undefined ? made : where(mask, made, old);
}
