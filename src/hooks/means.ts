// What stands at a site elsewhere: on average over texts, or on another prompt. For mean and resample ablation.
import { check } from "../base/errors.ts";
import { type Context, throwIfStopped } from "../base/progress.ts";
import type { Random } from "../base/random.ts";
import { findSite, type Model, siteShape } from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun } from "../runtime/index.ts";
import { sizeOf, type Tensor, tensor } from "../tensor/tensor.ts";
import { runWithCache } from "./capture.ts";
import { matchSites } from "./globs.ts";
import type { LossRows } from "./loss.ts";
import { rowsOf } from "./rows.ts";

export interface MeanOptions {
  /** Site strings, globs or short names. */
  sites: readonly string[];
  /** One mean for all tokens, or one for each position (the only kind that patterns have). */
  per?: "token" | "position";
  /** Tokens that are not counted, e.g. end-of-text; not where the mean is per position. */
  without?: readonly number[];
  outputLimit?: number;
}

/**
 * Means over the tokens of the rows, float32 by site string: the site's axes without batch and
 * (`per: "token"`) without positions. Summed in float64. Hand it in as a feed, or as the value itself.
 */
export async function meanActivations(
  model: Model,
  backend: Backend,
  { tokens, rows, n_ctx: pos }: LossRows,
  { sites, per = "token", without = [], outputLimit = outputLimitBytes }: MeanOptions,
  context: Context = {},
): Promise<Record<string, Tensor<"float32">>> {
  const { config } = model;
  const found = matchSites(config, sites);
  const shapes = found.map((site) => siteShape(config, site, { batch: 1, pos }).slice(1));
  for (const site of found) {
    const { axes } = findSite(config, site).row;
    check(per === "position" || axes[1] === "pos", "site/axes", `${site} has no value per token`, {
      where: site,
      got: axes.join(", "),
      hint: 'ask for its mean per: "position"',
    });
  }
  const skipped = new Set(per === "position" ? [] : without);
  const all = tensor("int32", [rows, pos], tokens.subarray(0, rows * pos));
  const sums = shapes.map(
    (shape) => new Float64Array(sizeOf(per === "token" ? shape.slice(1) : shape)),
  );
  const bytesPerRow = shapes.reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  const batch = rowsPerRun(rows, { bytesPerRow, limit: outputLimit });
  let count = 0;
  for (let from = 0; from < rows; from += batch) {
    throwIfStopped(context);
    const part = rowsOf(all, from, Math.min(batch, rows - from));
    const { cache } = await runWithCache(model, backend, part, { sites: found, outputLimit });
    const pieces = part.data.length / (per === "token" ? 1 : pos);
    for (let piece = 0; piece < pieces; piece++) {
      if (per === "token" && skipped.has(part.data[piece]!)) continue;
      count += 1;
      found.forEach((site, s) => {
        const sum = sums[s]!;
        const { data } = cache[site]!;
        for (let i = 0; i < sum.length; i++) sum[i]! += data[piece * sum.length + i]!;
      });
    }
    const done = (from + part.shape[0]!) * pos;
    context.onProgress?.({ stage: "means", done, total: rows * pos, unit: "tokens" });
  }
  check(count > 0, "hooks/tokens", "there are no tokens to take a mean over", {
    got: `${rows} rows of ${pos} tokens, without ${without.join(", ") || "none"}`,
  });
  return Object.fromEntries(
    found.map((site, s) => {
      const shape = per === "token" ? shapes[s]!.slice(1) : shapes[s]!;
      return [
        site,
        tensor(
          "float32",
          shape,
          Float32Array.from(sums[s]!, (x) => x / count),
        ),
      ];
    }),
  );
}

/**
 * The values at the sites while the model reads other prompts, for each of `rows` a prompt drawn from
 * `pool` (int32 [prompts, pos]). Where the pool is the batch itself, no row gets its own.
 */
export async function resampleActivations(
  model: Model,
  backend: Backend,
  pool: Tensor<"int32">,
  {
    sites,
    rows,
    random,
    own,
  }: { sites: readonly string[]; rows: number; random: Random; own?: Tensor },
): Promise<{ cache: Record<string, Tensor<"float32">>; from: number[] }> {
  const [prompts, pos] = pool.shape as [number, number];
  const same = (row: number, prompt: number): boolean =>
    own !== undefined &&
    rowsOf(own, row, 1).data.every((id, i) => id === pool.data[prompt * pos + i]);
  const from = Array.from({ length: rows }, (_, row) => {
    const others = Array.from({ length: prompts }, (_, i) => i).filter((i) => !same(row, i));
    check(others.length > 0, "hooks/tokens", "there is no other prompt to draw from", {
      where: `row ${row}`,
      got: `${prompts} prompts`,
    });
    return random.pick(others);
  });
  const drawn = new Int32Array(rows * pos);
  from.forEach((prompt, row) => {
    drawn.set(pool.data.subarray(prompt * pos, (prompt + 1) * pos), row * pos);
  });
  const tokens = tensor("int32", [rows, pos], drawn);
  const { cache } = await runWithCache(model, backend, tokens, { sites });
  return { cache, from };
}
