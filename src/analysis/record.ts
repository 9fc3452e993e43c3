// One pass over a split: features by column, and the sums of the neurons they are compared with.

import { type ActivationPiece, activationStream } from "../activations/index.ts";
import type { Context } from "../base/progress.ts";
import type { Coder } from "../dictionaries/coder.ts";
import { denseMoments } from "../evidence/correlate.ts";
import type { TokenFit } from "../evidence/labels.ts";
import type { Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { TokenRows } from "../text/pack.ts";
import { columnBuilder } from "./columns.ts";
import type { Recorded } from "./describe.ts";
import { neuronMatcher } from "./neurons.ts";

export interface RecordSource {
  model: Model;
  site: string;
  coder: Coder;
  backend: Backend;
}

/** Tokens on which every feature is compared with every neuron: d_in × k products each. */
const matchTokens = 65_536;

/**
 * The encoder's pass over a split. Neurons are summed as they stream by, never stored. `match` also looks for
 * each feature's most similar neuron, on batches spread over the split.
 */
export async function recordSplit(
  rows: TokenRows,
  fit: TokenFit,
  { model, site, coder, backend }: RecordSource,
  { match = false, neurons = true, stage = "record" } = {},
  context: Context = {},
): Promise<Recorded> {
  const { d_in, d_sae } = coder.dictionary;
  const { n_ctx } = rows;
  const builder = columnBuilder(d_sae);
  const sums = neurons ? denseMoments(d_in, rows, fit) : null;
  const matcher = match ? neuronMatcher(d_sae, d_in) : null;
  const every = Math.max(1, Math.ceil((rows.rows * n_ctx) / matchTokens));
  const stream: AsyncIterable<ActivationPiece> = activationStream(
    model,
    backend,
    rows,
    { site },
    context,
  );
  for await (const {
    acts,
    rows: [from, to],
  } of stream) {
    const encoded = await coder.encode(acts);
    builder.add(encoded);
    sums?.add(acts, from * n_ctx);
    // Whole rows, every so many of them.
    for (let row = from; matcher !== null && row < to; row++) {
      if (row % every !== 0) continue;
      const at = (row - from) * n_ctx;
      const { k } = encoded;
      matcher.add(
        {
          n_tokens: n_ctx,
          k,
          index: encoded.index.subarray(at * k, (at + n_ctx) * k),
          value: encoded.value.subarray(at * k, (at + n_ctx) * k),
        },
        acts.subarray(at * d_in, (at + n_ctx) * d_in),
      );
    }
    context.onProgress?.({ stage, done: to * n_ctx, total: rows.rows * n_ctx, unit: "tokens" });
  }
  return { columns: builder.done(), neurons: sums?.done(), bestNeuron: matcher?.best() };
}
