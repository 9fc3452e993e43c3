// What need not be computed: values that nothing uses, values made twice, axes spread for nothing.
import { fail } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { hashBytes } from "./hash.ts";
import { withInputs } from "./op.ts";
import { mayPass } from "./ops/shortcut.ts";
import type { Around } from "./rewrite.ts";
import { rewrites } from "./rewrites.ts";
import { reachable, type Value } from "./value.ts";

/** The same outputs from fewer, cheaper values. */
export function simplify(outputs: readonly Value[]): Value[] {
  let current = takeShortcuts(outputs);
  // Each pass can open the way for the next; a fixed number bounds the work.
  for (let pass = 0; pass < 8; pass++) {
    const next = onePass(current);
    if (next.every((value, i) => value.id === current[i]!.id)) return next;
    current = next;
  }
  return onePass(current);
}

/** Each `shortcut` becomes one of its two ways: after this there is none. */
export function takeShortcuts(outputs: readonly Value[]): Value[] {
  const order = reachable(outputs);
  const { of } = usersOf(order, outputs);
  const replaced = new Map<number, Value>();
  for (const value of order) {
    const inputs = value.inputs.map((from) => replaced.get(from.id)!);
    const way = value.op === "shortcut" ? inputs[mayPass(value, of) ? 1 : 0]! : undefined;
    replaced.set(value.id, way ?? withInputs(value, inputs));
  }
  return outputs.map(({ id }) => replaced.get(id)!);
}

/** The ops that use a value, once a use; "output" where the program does. */
function usersOf(order: readonly Value[], outputs: readonly Value[]) {
  const users = new Map<number, string[]>();
  const note = (id: number, ops: readonly string[]) =>
    users.set(id, (users.get(id) ?? []).concat(ops));
  for (const user of order) for (const { id } of user.inputs) note(id, [user.op]);
  for (const { id } of outputs) note(id, ["output"]);
  return { note, of: ({ id }: Value): readonly string[] => users.get(id) ?? [] };
}

function onePass(outputs: readonly Value[]): Value[] {
  const known = new Map<string, Value>();
  const replaced = new Map<number, Value>();
  const order = reachable(outputs);
  const { note, of } = usersOf(order, outputs);
  const around: Around = {
    users: of,
    find: (value) => known.get(keyOf(value)),
  };
  for (const value of order) {
    const inputs = value.inputs.map((from) => replaced.get(from.id)!);
    let next = withInputs(value, inputs);
    // Who uses the old value will use the new one: rules may ask. Once, or one user would look like two.
    const noted = new Set([value.id]);
    const hand = (to: Value): void => {
      if (!noted.has(to.id)) note(to.id, of(value));
      noted.add(to.id);
    };
    for (const rewrite of rewrites) {
      hand(next);
      next = rewrite(next, around) ?? next;
    }
    next = unique(next, known);
    hand(next);
    replaced.set(value.id, next);
  }
  return outputs.map((value) => replaced.get(value.id) ?? fail("graph/lost", "a value was lost"));
}

/** The first value made in this way; its inputs, which a rewrite may have made, likewise. */
function unique(value: Value, known: Map<string, Value>): Value {
  const inputs = value.inputs.map((from) =>
    known.get(keyOf(from)) === from ? from : unique(from, known),
  );
  const same = withInputs(value, inputs);
  const key = keyOf(same);
  const found = known.get(key);
  if (found !== undefined) return found;
  known.set(key, same);
  return same;
}

const keys = new WeakMap<Value, string>();

function keyOf(value: Value): string {
  let key = keys.get(value);
  if (key === undefined) {
    key = makeKey(value);
    keys.set(value, key);
  }
  return key;
}

function makeKey(value: Value): string {
  if (value.op === "input") return `input ${value.name}`;
  if (value.op === "weight") return `weight ${value.name} ${showAttrs(value)}`;
  if (value.op === "constant") {
    const { data } = value.attrs.tensor as Tensor;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return `constant ${value.dtype} ${value.shape} ${hashBytes(bytes)}`;
  }
  return `${value.op} ${value.inputs.map(({ id }) => id)} ${showAttrs(value)}`;
}

/** JSON writes infinities and NaN as null, which would make different attributes equal. */
function showAttrs({ attrs }: Value): string {
  return JSON.stringify(attrs, (_, part) =>
    typeof part === "number" && !Number.isFinite(part) ? String(part) : part,
  );
}
