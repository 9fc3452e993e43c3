// Which keys a query may look at: causality, windows, padding.
import {
  add,
  and,
  cast,
  constant,
  cumsum,
  greater,
  reshape,
  slice,
  sub,
  sum,
  type Value,
  where,
} from "../../graph/index.ts";
import { f32, tensor } from "../../tensor/tensor.ts";

export interface Mask {
  /** 0 or −∞, added to scores [batch, head, query, key]. */
  readonly add: Value;
  /** Which queries see a key at all, bool [batch, 1, query, 1]; all do when it is left out. */
  readonly any?: Value;
  /** The keys from the first to the last that a query sees, where no padding decides it. */
  readonly sees?: (query: number) => { start: number; end: number };
}

export interface MaskOptions {
  past: number;
  pos: number;
  causal?: boolean;
  /** Keys that a query sees, its own included. */
  window?: number;
  /** Of past and new tokens: int32 [batch, past + pos], 0 where there is no token. */
  attention_mask?: Value;
}

/** No mask at all where everything sees everything. */
export function maskOf({
  past,
  pos,
  causal = true,
  window,
  attention_mask,
}: MaskOptions): Mask | undefined {
  const total = past + pos;
  if (attention_mask === undefined) {
    if (!causal) return undefined;
    const hidden = (query: number, key: number): boolean =>
      key > query || (window !== undefined && key <= query - window);
    const mask = Float32Array.from({ length: pos * total }, (_, i) =>
      hidden(past + Math.floor(i / total), i % total) ? -Infinity : 0,
    );
    const sees = (query: number) => ({
      start: window === undefined ? 0 : Math.max(0, past + query - window + 1),
      end: past + query + 1,
    });
    return { add: constant(f32([pos, total], mask)), sees };
  }
  const [batch] = attention_mask.shape as [number, number];
  let seen = reshape(greater(attention_mask, 0), [batch, 1, 1, total]);
  if (causal) {
    const ahead = Uint8Array.from({ length: pos * total }, (_, i) =>
      Number(i % total <= past + Math.floor(i / total)),
    );
    seen = and(seen, constant(tensor("bool", [pos, total], ahead)));
  }
  if (causal && window !== undefined) {
    // Distances count tokens, and not places: a cache may have empty places in the middle.
    const places = cumsum(attention_mask, { axis: 1 });
    const keys = reshape(places, [batch, 1, 1, total]);
    const queries = slice(places, { axis: 1, start: past, end: total });
    seen = and(seen, greater(add(keys, window), reshape(queries, [batch, 1, pos, 1])));
  }
  const count = sum(cast(seen, "float32"), { axes: [3], keepDims: true });
  return { add: where(seen, 0, -Infinity), any: greater(count, 0) };
}

/** Positions by the mask: the first token of each row is at 0. int32 [batch, pos]. */
export function positionsOf(attention_mask: Value, past: number): Value {
  const counted = cumsum(attention_mask, { axis: 1 });
  const end = attention_mask.shape[1]!;
  const own = sub(slice(counted, { axis: 1, start: past, end }), 1);
  return where(greater(own, 0), own, 0);
}
