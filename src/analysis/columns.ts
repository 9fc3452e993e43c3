// How do batches of sparse rows become columns without being in memory three times?
import type { FeatureColumns, SparseRows } from "../dictionaries/sparse.ts";

interface Part {
  from: number;
  /** Active features per token, then the pairs in order of tokens. */
  counts: Uint16Array;
  feature: Uint16Array | Uint32Array;
  value: Float32Array;
}

/** Keeps active pairs only (6 bytes each up to 65,536 features); `done` sorts them by feature. */
export function columnBuilder(d_sae: number): {
  add(rows: SparseRows): void;
  /** acts [n, d_sae]: those above the threshold, which is 0 or more. */
  addDense(acts: Float32Array, threshold: number): void;
  done(): FeatureColumns;
} {
  const parts: Part[] = [];
  const offsets = new Float64Array(d_sae + 1);
  const Ids = d_sae <= 65536 ? Uint16Array : Uint32Array;
  let n_tokens = 0;
  return {
    add({ n_tokens: n, k, index, value }) {
      const counts = new Uint16Array(n);
      let active = 0;
      for (let p = 0; p < n * k; p++) if (value[p]! > 0) active++;
      const feature = new Ids(active);
      const kept = new Float32Array(active);
      let at = 0;
      for (let t = 0; t < n; t++)
        for (let p = t * k; p < (t + 1) * k; p++) {
          if (!(value[p]! > 0)) continue;
          counts[t]!++;
          feature[at] = index[p]!;
          kept[at++] = value[p]!;
          offsets[index[p]! + 1]!++;
        }
      parts.push({ from: n_tokens, counts, feature, value: kept });
      n_tokens += n;
    },
    addDense(acts, threshold) {
      const n = acts.length / d_sae;
      const counts = new Uint16Array(n);
      let active = 0;
      for (let i = 0; i < acts.length; i++) if (acts[i]! > threshold) active++;
      const feature = new Ids(active);
      const kept = new Float32Array(active);
      let at = 0;
      for (let t = 0; t < n; t++)
        for (let f = 0; f < d_sae; f++) {
          const a = acts[t * d_sae + f]!;
          if (!(a > threshold)) continue;
          counts[t]!++;
          feature[at] = f;
          kept[at++] = a;
          offsets[f + 1]!++;
        }
      parts.push({ from: n_tokens, counts, feature, value: kept });
      n_tokens += n;
    },
    done() {
      for (let f = 0; f < d_sae; f++) offsets[f + 1]! += offsets[f]!;
      const next = offsets.slice();
      // Shared, so that a second thread can read them without a copy.
      const token = new Uint32Array(new SharedArrayBuffer(4 * offsets[d_sae]!));
      const value = new Float32Array(new SharedArrayBuffer(4 * offsets[d_sae]!));
      for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
        let p = 0;
        for (let t = 0; t < part.counts.length; t++)
          for (const end = p + part.counts[t]!; p < end; p++) {
            const to = next[part.feature[p]!]!++;
            token[to] = part.from + t;
            value[to] = part.value[p]!;
          }
      }
      return { n_tokens, d_sae, offsets, token, value };
    },
  };
}
