// What a chain of reshapes and transposes comes to: sizes and strides over the value at its root.
import { stridesOf } from "./shape.ts";
import type { Value } from "./value.ts";

export interface ChainView {
  readonly base: Value;
  /** How many reshapes and transposes lie between. */
  readonly steps: number;
  /** The base reshaped to this and transposed by `perm`, then reshaped, is the value. */
  readonly shape: readonly number[];
  readonly perm: readonly number[];
}

/** What a value is a view of, slices included. */
export function viewedLeaf(value: Value): Value {
  const views = ["reshape", "transpose", "slice"];
  return views.includes(value.op) ? viewedLeaf(value.inputs[0]!) : value;
}

interface Dim {
  size: number;
  stride: number;
}

/** Undefined where a reshape joins axes that do not lie one after another. */
export function viewOf(value: Value): ChainView | undefined {
  const chain: Value[] = [];
  let base = value;
  while (base.op === "reshape" || base.op === "transpose") {
    chain.unshift(base);
    base = base.inputs[0]!;
  }
  let dims: Dim[] | undefined = dimsOf(base.shape);
  for (const step of chain) {
    if (step.op === "transpose")
      dims = (step.attrs.perm as readonly number[]).map((axis) => dims![axis]!);
    else dims = reshaped(dims, step.shape);
    if (dims === undefined) return undefined;
  }
  const joined = join(dims);
  const order = joined.map((_, i) => i).sort((a, b) => joined[b]!.stride - joined[a]!.stride);
  return {
    base,
    steps: chain.length,
    shape: order.map((i) => joined[i]!.size),
    perm: joined.map((_, i) => order.indexOf(i)),
  };
}

function dimsOf(shape: readonly number[]): Dim[] {
  const strides = stridesOf(shape);
  return shape.map((size, i) => ({ size, stride: strides[i]! }));
}

/** The fewest axes with the same order of elements. */
function join(dims: readonly Dim[]): Dim[] {
  const out: Dim[] = [];
  for (const dim of dims) {
    if (dim.size === 1) continue;
    const last = out.at(-1);
    if (last !== undefined && last.stride === dim.stride * dim.size)
      out[out.length - 1] = { size: last.size * dim.size, stride: dim.stride };
    else out.push(dim);
  }
  return out;
}

function reshaped(dims: readonly Dim[], shape: readonly number[]): Dim[] | undefined {
  const from = join(dims);
  const out: Dim[] = [];
  let at = 0;
  let left: Dim | undefined = from[0];
  for (const size of shape) {
    if (size === 1) {
      out.push({ size, stride: 0 });
      continue;
    }
    // Each new axis is taken from the front of one joined axis.
    if (left === undefined || left.size % size !== 0) return undefined;
    const rest: number = left.size / size;
    out.push({ size, stride: left.stride * rest });
    at += rest === 1 ? 1 : 0;
    left = rest === 1 ? from[at] : { size: rest, stride: left.stride };
  }
  return out;
}
