// Where do keys and values of the positions so far lie while a text is written?
import { allocate, type Tensor, tensor } from "../../tensor/tensor.ts";

/** Of every layer, [batch, key head, capacity, d_head]; the places from `length` on are empty. */
export interface KeyValueCache {
  readonly capacity: number;
  readonly length: number;
  /** The whole tensors: what is empty is masked. By input name. */
  readonly feeds: Readonly<Record<string, Tensor<"float32">>>;
  /** 1 where a token stands, of all places and `more` after them: int32 [batch, capacity + more]. */
  mask(more: number): Tensor<"int32">;
  /** Adds the rows that a run gave, [batch, key head, rows, d_head], by `presentName`. */
  append(present: Readonly<Record<string, Tensor>>, rows: number): void;
}

export const pastName = (layer: number, which: "k" | "v"): string => `past.${layer}.${which}`;
export const presentName = (layer: number, which: "k" | "v"): string => `present.${layer}.${which}`;

export interface CacheShape {
  n_layers: number;
  batch: number;
  heads: number;
  d_head: number;
  capacity: number;
}

/** `padding[row]`: how many places at the start of a row hold no token. */
export function keyValueCache(
  { n_layers, batch, heads, d_head, capacity }: CacheShape,
  padding: readonly number[],
): KeyValueCache {
  const layers = Array.from({ length: n_layers }, (_, layer) => layer);
  const names = layers.flatMap((layer) => [[layer, "k"] as const, [layer, "v"] as const]);
  const shape = [batch, heads, capacity, d_head];
  const size = batch * heads * capacity * d_head;
  const feeds = Object.fromEntries(
    names.map(([layer, which]) => [
      pastName(layer, which),
      tensor("float32", shape, allocate("float32", size)),
    ]),
  );
  let length = 0;
  return {
    capacity,
    feeds,
    get length() {
      return length;
    },
    mask(more) {
      const total = capacity + more;
      const data = new Int32Array(batch * total);
      for (let row = 0; row < batch; row++) {
        data.fill(1, row * total + Math.min(padding[row]!, length), row * total + length);
        data.fill(1, row * total + capacity, (row + 1) * total);
      }
      return tensor("int32", [batch, total], data);
    },
    append(present, rows) {
      for (const [layer, which] of names) {
        const made = present[presentName(layer, which)]!.data as Float32Array;
        const kept = feeds[pastName(layer, which)]!.data;
        const width = rows * d_head;
        for (let head = 0; head < batch * heads; head++)
          kept.set(
            made.subarray(head * width, (head + 1) * width),
            (head * capacity + length) * d_head,
          );
      }
      length += rows;
    },
  };
}
