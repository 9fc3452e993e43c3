// How queries and keys turn with their position (Su et al. 2021), and how that is stretched.
import {
  add,
  concat,
  constant,
  gather,
  mul,
  reshape,
  slice,
  sub,
  type Value,
} from "../../graph/index.ts";
import { tensor } from "../../tensor/tensor.ts";
import type { Rotary, RotaryScaling } from "../config.ts";

/** x [batch, pos, head, d_head] → the same, turned. */
export type Turn = (x: Value) => Value;

export interface TurnOptions {
  /** The position of the first token, where no ids are given. */
  first: number;
  pos: number;
  /** int32 [batch, pos]. */
  position_ids?: Value;
  /** Above every position id. */
  rows: number;
  /** How many positions are read in all: some scalings depend on it. */
  total: number;
}

export function turn(
  rotary: Rotary,
  { first, pos, position_ids, rows: most, total }: TurnOptions,
): Turn {
  const { frequencies, gain } = frequenciesOf(rotary, total);
  const half = frequencies.length;
  const table = (of: (angle: number) => number, from: number, rows: number): Value =>
    constant(
      tensor(
        "float32",
        [rows, 1, half],
        Float32Array.from({ length: rows * half }, (_, i) => {
          const angle = Math.fround((from + Math.floor(i / half)) * frequencies[i % half]!);
          return Math.fround(of(angle)) * gain;
        }),
      ),
    );
  const at = (of: (angle: number) => number): Value =>
    position_ids === undefined
      ? table(of, first, pos)
      : gather(table(of, 0, most), position_ids, { axis: 0 });
  // [pos, 1, half] or [batch, pos, 1, half]
  const [cos, sin] = [at(Math.cos), at(Math.sin)];

  return (x) => {
    const [batch, length, heads, d_head] = x.shape as [number, number, number, number];
    const part = (start: number, end: number): Value => slice(x, { axis: 3, start, end });
    const rest = d_head === 2 * half ? [] : [part(2 * half, d_head)];
    if (!rotary.interleaved) {
      const [a, b] = [part(0, half), part(half, 2 * half)];
      const turned = [sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))];
      return concat([...turned, ...rest], { axis: 3 });
    }
    const pairs = reshape(part(0, 2 * half), [batch, length, heads, half, 2]);
    const one = (i: number): Value =>
      reshape(slice(pairs, { axis: 4, start: i, end: i + 1 }), [batch, length, heads, half]);
    const [a, b] = [one(0), one(1)];
    const wide = [batch, length, heads, half, 1];
    const turned = concat(
      [reshape(sub(mul(a, cos), mul(b, sin)), wide), reshape(add(mul(b, cos), mul(a, sin)), wide)],
      { axis: 4 },
    );
    return concat([reshape(turned, [batch, length, heads, 2 * half]), ...rest], { axis: 3 });
  };
}

/** Radians a position, float32 as the models were trained; `gain` multiplies cosine and sine. */
export function frequenciesOf(
  { base, dim, scaling }: Rotary,
  total: number,
): { frequencies: Float32Array; gain: number } {
  const plain = (from: number) =>
    Float32Array.from({ length: dim / 2 }, (_, i) => 1 / Math.fround(from ** ((2 * i) / dim)));
  if (scaling === undefined) return { frequencies: plain(base), gain: 1 };
  switch (scaling.type) {
    case "linear":
      return { frequencies: plain(base).map((f) => f / scaling.factor), gain: 1 };
    case "dynamic": {
      const { factor, original } = scaling;
      const stretch = (factor * Math.max(total, original)) / original - (factor - 1);
      return { frequencies: plain(base * stretch ** (dim / (dim - 2))), gain: 1 };
    }
    case "llama3":
      return { frequencies: plain(base).map((f) => llama3(f, scaling)), gain: 1 };
    case "yarn":
      return yarn({ base, dim }, plain(base), scaling);
    case "longrope": {
      const { short, long, original, attention_factor } = scaling;
      const by = total > original ? long : short;
      return { frequencies: plain(base).map((f, i) => f / by[i]!), gain: attention_factor };
    }
  }
}

type Scaling<T extends RotaryScaling["type"]> = Extract<RotaryScaling, { type: T }>;

function llama3(f: number, { factor, low, high, original }: Scaling<"llama3">): number {
  const wavelength = (2 * Math.PI) / f;
  if (wavelength < original / high) return f;
  if (wavelength > original / low) return f / factor;
  const smooth = (original / wavelength - low) / (high - low);
  return ((1 - smooth) * f) / factor + smooth * f;
}

function yarn(
  { base, dim }: { base: number; dim: number },
  plain: Float32Array,
  { factor, original, beta_fast, beta_slow, attention_factor, truncate }: Scaling<"yarn">,
) {
  // The dimension that turns so often within the original context.
  const dimensionOf = (turns: number): number =>
    (dim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [fast, slow] = [dimensionOf(beta_fast), dimensionOf(beta_slow)];
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  let high = Math.min(truncate ? Math.ceil(slow) : slow, dim - 1);
  if (low === high) high += 0.001;
  const frequencies = plain.map((f, i) => {
    const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
    return (f / factor) * ramp + f * (1 - ramp);
  });
  return { frequencies, gain: attention_factor };
}
