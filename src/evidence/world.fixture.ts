// A small synthetic world for tests: documents with contexts, and units whose truth is known.
import { type Random, random } from "../base/random.ts";
import { type FeatureColumns, toColumns } from "../dictionaries/sparse.ts";
import type { LabelledTokens } from "./labels.ts";

export const worldContexts = ["prose", "code", "hex", "rare"];

/** Tokens overlap between contexts (so they give away a part only); every document is one context. */
export function makeLabels(
  seed: number,
  { documents = 60, length = 80, d_vocab = 40 } = {},
): LabelledTokens {
  const rng = random(seed).stream("labels");
  const n = documents * length;
  const tokens = new Int32Array(n);
  const context = new Uint16Array(n);
  const doc = new Int32Array(n);
  for (let d = 0; d < documents; d++) {
    const c = d % 7 === 0 ? 2 : d % 3 === 0 ? 1 : d % 11 === 0 ? 3 : 0;
    for (let i = 0; i < length; i++) {
      const t = d * length + i;
      doc[t] = d;
      context[t] = c;
      const skewed = Math.floor(rng.uniform() ** 2 * d_vocab);
      tokens[t] = rng.uniform() < 0.2 ? (skewed + 7 * c) % d_vocab : skewed;
    }
  }
  return {
    tokens,
    context,
    doc,
    contexts: worldContexts,
    documents: Array.from({ length: documents }, (_, d) => ({
      id: `d${d}`,
      context: worldContexts[context[d * length]!]!,
      source: "generator",
    })),
  };
}

/** Sparse columns from a dense rule: `activation(t, unit, rng)`, 0 or less is silent. */
export function makeColumns(
  labels: LabelledTokens,
  units: number,
  activation: (t: number, unit: number, rng: Random) => number,
  seed = 1,
): FeatureColumns {
  const rng = random(seed).stream("columns");
  const n = labels.tokens.length;
  const index = new Int32Array(n * units);
  const value = new Float32Array(n * units);
  for (let t = 0; t < n; t++)
    for (let u = 0; u < units; u++) {
      index[t * units + u] = u;
      value[t * units + u] = Math.max(0, activation(t, u, rng));
    }
  return toColumns({ n_tokens: n, k: units, index, value }, units);
}

/**
 * Unit 0 fires inside "hex" whatever the token; unit 1 on token 3 everywhere; unit 2 at random; unit 3 on
 * "code", weakly elsewhere; the others at random, more rarely.
 */
export function honestUnits(labels: LabelledTokens): (t: number, u: number, rng: Random) => number {
  return (t, u, rng) => {
    const c = labels.context[t]!;
    const noise = rng.uniform();
    if (u === 0) return c === 2 ? (noise < 0.8 ? 1 + 3 * noise : 0) : noise < 0.02 ? 5 * noise : 0;
    if (u === 1) return labels.tokens[t] === 3 ? 1 + noise : 0;
    if (u === 2) return noise < 0.1 ? 10 * noise : 0;
    if (u === 3) return c === 1 ? (noise < 0.7 ? 2 + noise : 0) : noise < 0.15 ? 4 * noise : 0;
    return noise < 0.03 ? 30 * noise : 0;
  };
}

export function denseOf(columns: FeatureColumns): Float64Array[] {
  return Array.from({ length: columns.d_sae }, (_, u) => {
    const out = new Float64Array(columns.n_tokens);
    for (let i = columns.offsets[u]!; i < columns.offsets[u + 1]!; i++)
      out[columns.token[i]!] = columns.value[i]!;
    return out;
  });
}
