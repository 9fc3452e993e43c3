// How activations flow out of a model, row after row and within a fixed amount of memory.
import { type Context, throwIfStopped } from "../base/progress.ts";
import { captureProgram, checkTokens, type LossRows } from "../hooks/index.ts";
import { bindWeights, largestRowBytes, type Model, siteWidth } from "../models/index.ts";
import {
  type Backend,
  type Executable,
  outputLimitBytes,
  rowsPerRun,
  workShare,
} from "../runtime/index.ts";
import { tensor } from "../tensor/tensor.ts";

/** The part of `TokenRows` that is needed. */
export type ActivationRows = LossRows;

export interface StreamOptions {
  site: string;
  /** Rows a run; default: so many that a run's memory is about the output limit. */
  batchRows?: number;
  outputLimit?: number;
}

export interface ActivationPiece {
  acts: Float32Array; // [n, d], tokens in row order
  rows: [from: number, to: number];
}

/** One site's values for every token. The model is run no further than the site. */
export async function* activationStream(
  model: Model,
  backend: Backend,
  data: ActivationRows,
  { site, batchRows, outputLimit = outputLimitBytes }: StreamOptions,
  context: Context = {},
): AsyncGenerator<ActivationPiece> {
  const { config } = model;
  const { feeds: weights } = bindWeights(model);
  const { n_ctx: pos, rows } = data;
  const d = siteWidth(config, site);
  checkTokens(config, tensor("int32", [rows, pos], data.tokens.subarray(0, rows * pos)));
  const bytesPerRow = Math.max(4 * pos * d, largestRowBytes(config, pos)) / workShare;
  const batch = batchRows ?? rowsPerRun(rows, { bytesPerRow, limit: outputLimit });
  const programs = new Map<number, Executable>();
  try {
    for (let from = 0; from < rows; from += batch) {
      throwIfStopped(context);
      const n = Math.min(batch, rows - from);
      let run = programs.get(n);
      if (run === undefined) {
        run = await backend.compile(captureProgram(model, { batch: n, pos, sites: [site] }));
        programs.set(n, run);
      }
      const tokens = tensor("int32", [n, pos], data.tokens.subarray(from * pos, (from + n) * pos));
      const results = await run.run({ ...weights, tokens });
      yield { acts: results[site]!.data as Float32Array, rows: [from, from + n] };
    }
  } finally {
    for (const run of programs.values()) await run.release();
  }
}
