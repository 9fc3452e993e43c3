// Which features fire where, by token and by feature.
import { check } from "../base/errors.ts";

/** By token: k slots each, in no particular order. */
export interface SparseRows {
  readonly n_tokens: number;
  readonly k: number;
  readonly index: Int32Array; // [n_tokens, k]
  readonly value: Float32Array; // [n_tokens, k]; 0 = not active
}

/** By feature (compressed sparse columns). */
export interface FeatureColumns {
  readonly n_tokens: number;
  readonly d_sae: number;
  readonly offsets: Float64Array; // [d_sae + 1]: feature f owns [offsets[f], offsets[f + 1])
  readonly token: Uint32Array; // ascending within a feature
  readonly value: Float32Array; // > 0
}

/** Counting sort; slots that are not active are left out. */
export function toColumns(rows: SparseRows, d_sae: number): FeatureColumns {
  const { n_tokens, k, index, value } = rows;
  const offsets = new Float64Array(d_sae + 1);
  for (let p = 0; p < n_tokens * k; p++) {
    if (!(value[p]! > 0)) continue;
    check(index[p]! >= 0 && index[p]! < d_sae, "dictionary/feature", "no such feature", {
      got: index[p],
      wanted: `0 to ${d_sae - 1}`,
    });
    offsets[index[p]! + 1]!++;
  }
  for (let f = 0; f < d_sae; f++) offsets[f + 1]! += offsets[f]!;
  const next = offsets.slice();
  const token = new Uint32Array(offsets[d_sae]!);
  const sorted = new Float32Array(offsets[d_sae]!);
  for (let t = 0; t < n_tokens; t++)
    for (let p = t * k; p < (t + 1) * k; p++) {
      if (!(value[p]! > 0)) continue;
      const to = next[index[p]!]!++;
      token[to] = t;
      sorted[to] = value[p]!;
    }
  return { n_tokens, d_sae, offsets, token, value: sorted };
}

/** Several batches as one, in order. */
export function concatRows(parts: readonly SparseRows[]): SparseRows {
  const k = parts[0]?.k ?? 0;
  check(
    parts.every((part) => part.k === k),
    "shape/k",
    "batches with different k",
    {
      got: parts.map((part) => part.k),
    },
  );
  const n_tokens = parts.reduce((sum, part) => sum + part.n_tokens, 0);
  const index = new Int32Array(n_tokens * k);
  const value = new Float32Array(n_tokens * k);
  let at = 0;
  for (const part of parts) {
    index.set(part.index, at);
    value.set(part.value, at);
    at += part.index.length;
  }
  return { n_tokens, k, index, value };
}
