// How neighbours are torn apart: batches of activations drawn from a large, shuffled buffer.
import { check } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { type Model, siteWidth } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type ActivationRows, activationStream } from "./stream.ts";

export type RowsSource = ActivationRows | Iterable<ActivationRows> | AsyncIterable<ActivationRows>;

export interface ShuffleOptions {
  site: string;
  /** Vectors a batch. */
  batch: number;
  /** Vectors held; half of them are handed out before the buffer is filled again. */
  bufferTokens: number;
  rng: Random;
  /** How often rows in memory are gone through; each time in another order. */
  epochs?: number;
  outputLimit?: number;
}

/**
 * Batches [batch, d] without end, or until the source ends (what is left then fills no batch and is
 * dropped). Rows of a piece are read in shuffled order, then vectors are shuffled in the buffer.
 */
export async function* shuffledBatches(
  model: Model,
  backend: Backend,
  source: RowsSource,
  { site, batch, bufferTokens, rng, epochs = 1, outputLimit }: ShuffleOptions,
): AsyncGenerator<Float32Array> {
  const d = siteWidth(model.config, site);
  check(bufferTokens >= 2 * batch, "activations/buffer", "the buffer holds less than two batches", {
    got: bufferTokens,
    wanted: `at least ${2 * batch}`,
  });
  const buffer = new Float32Array(bufferTokens * d);
  // Slots of the buffer: the first `full` hold vectors, in the order they will be handed out.
  const slots = Uint32Array.from({ length: bufferTokens }, (_, i) => i);
  let full = 0;

  const put = (vector: Float32Array): void => {
    buffer.set(vector, slots[full]! * d);
    full += 1;
  };
  // Takes from the end, so that the free slots stay behind the full ones.
  const take = (): Float32Array => {
    const out = new Float32Array(batch * d);
    for (let i = 0; i < batch; i++) {
      full -= 1;
      const at = slots[full]! * d;
      out.set(buffer.subarray(at, at + d), i * d);
    }
    return out;
  };

  for await (const data of piecesOf(source, epochs)) {
    const order = rng.shuffle(Uint32Array.from({ length: data.rows }, (_, i) => i));
    const mixed = { ...data, tokens: permuteRows(data, order) };
    for await (const { acts } of activationStream(model, backend, mixed, {
      site,
      outputLimit,
    }))
      for (let at = 0; at < acts.length; at += d) {
        put(acts.subarray(at, at + d));
        if (full < bufferTokens) continue;
        rng.shuffle(slots);
        while (full - batch >= bufferTokens / 2) yield take();
      }
  }
  rng.shuffle(slots.subarray(0, full));
  while (full >= batch) yield take();
}

async function* piecesOf(source: RowsSource, epochs: number): AsyncGenerator<ActivationRows> {
  if ("tokens" in source) for (let i = 0; i < epochs; i++) yield source;
  else yield* source;
}

function permuteRows({ n_ctx, tokens }: ActivationRows, order: Uint32Array): Int32Array {
  const out = new Int32Array(order.length * n_ctx);
  order.forEach((row, i) => {
    out.set(tokens.subarray(row * n_ctx, (row + 1) * n_ctx), i * n_ctx);
  });
  return out;
}
