// Which parts of a site matter for the difference between two prompts: estimated by one gradient
// (Nanda 2023), measured by patching each part, and how far the two agree.
import { check } from "../../base/errors.ts";
import { type Context, throwIfStopped } from "../../base/progress.ts";
import { type Axis, findSite, type Model, siteShape } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { runWithCache } from "../capture.ts";
import { replaceWith } from "../interventions.ts";
import { type GradientRequest, gradients } from "./gradients.ts";
import { rankCorrelation } from "./ranks.ts";

/** Rows of tokens of the same shape: row i of one goes with row i of the other. */
export interface PromptPair {
  clean: Tensor;
  corrupt: Tensor;
}

export interface PatchingRequest
  extends Omit<GradientRequest, "sites" | "weights" | "values" | "over"> {
  site: string;
  /**
   * `denoising`: the corrupt run, with a part as in the clean one. `noising`: the clean run, with a
   * part as in the corrupt one. The gradient is that of the run which is patched.
   */
  direction: "denoising" | "noising";
  /**
   * What a part is: the axes it is told apart by, besides the batch. ["pos"], ["head"],
   * ["pos", "head"], ["pos", "d_mlp"] for single neurons, … Other axes belong to the part as a whole.
   */
  per: readonly Axis[];
}

export interface Effects {
  /** Change of the scalar from the run that is patched, [batch, ...per]. */
  effects: Tensor<"float32">;
  /** The scalar of each row: of the run that is patched, and of the one that parts come from. */
  base: Float32Array;
  source: Float32Array;
}

/**
 * Σ (source − base) · gradient over each part: two forward passes and one back for all parts.
 * Errors: `gradients/pair`, `gradients/axes`, and those of `gradients`.
 */
export async function attributionPatching(
  model: Model,
  backend: Backend,
  pair: PromptPair,
  request: PatchingRequest,
): Promise<Effects> {
  const { site, per, direction, ...rest } = request;
  const { base, source } = oriented(pair, direction);
  const parts = partsOf(model, site, base, per);
  const from = await gradients(model, backend, base, {
    ...rest,
    sites: [site],
    values: [site],
    over: "sum",
  });
  const other = await gradients(model, backend, source, { ...rest, values: [site] });
  const effects = new Float64Array(sizeOf(parts.shape));
  const [x, y, g] = [from.values[site]!.data, other.values[site]!.data, from.sites[site]!.data];
  parts.each((part, i) => {
    // Masked scores are −∞ in both runs.
    if (x[i] !== y[i]) effects[part]! += (y[i]! - x[i]!) * g[i]!;
  });
  return { effects: f32(parts.shape, effects), base: from.rows, source: other.rows };
}

/** The same by a run for each part, which is patched in all rows at once. */
export async function exactPatching(
  model: Model,
  backend: Backend,
  pair: PromptPair,
  request: PatchingRequest,
  context: Context = {},
): Promise<Effects> {
  const { site, per, direction, interventions = [], ...rest } = request;
  const { base, source } = oriented(pair, direction);
  const parts = partsOf(model, site, base, per);
  const { feeds, splices } = rest;
  const read = async (tokens: Tensor) => {
    const options = { sites: [site], interventions, feeds, splices };
    return (await runWithCache(model, backend, tokens, options)).cache[site]!;
  };
  const [x, y] = [await read(base), await read(source)];
  const rowsWith = async (tokens: Tensor, value?: Float32Array): Promise<Float32Array> => {
    const by = value === undefined ? [] : [replaceWith(site, tensor("float32", x.shape, value))];
    const all = [...interventions, ...by];
    return (await gradients(model, backend, tokens, { ...rest, interventions: all })).rows;
  };
  const [before, there] = [await rowsWith(base), await rowsWith(source)];
  const [batch, ...kept] = parts.shape as [number, ...number[]];
  const count = sizeOf(kept);
  const effects = new Float32Array(batch * count);
  for (let unit = 0; unit < count; unit++) {
    throwIfStopped(context);
    const mixed = x.data.slice();
    parts.each((part, i) => {
      if (part % count === unit) mixed[i] = y.data[i]!;
    });
    const rows = await rowsWith(base, mixed);
    for (let row = 0; row < batch; row++) effects[row * count + unit] = rows[row]! - before[row]!;
    context.onProgress?.({ stage: "patch", done: unit + 1, total: count, unit: "parts" });
  }
  return { effects: f32(parts.shape, effects), base: before, source: there };
}

export interface Agreement {
  /** Parts compared, over all rows. */
  n: number;
  estimated: Float32Array;
  exact: Float32Array;
  /** Spearman's, NaN where one side has a single value. */
  rankCorrelation: number;
}

/** How far the estimate can be trusted here: both lists, and the correlation of their ranks. */
export async function patchingAgreement(
  model: Model,
  backend: Backend,
  pair: PromptPair,
  request: PatchingRequest,
  context: Context = {},
): Promise<Agreement> {
  const estimated = (await attributionPatching(model, backend, pair, request)).effects.data;
  const exact = (await exactPatching(model, backend, pair, request, context)).effects.data;
  return {
    n: exact.length,
    estimated,
    exact,
    rankCorrelation: rankCorrelation(estimated, exact),
  };
}

function oriented({ clean, corrupt }: PromptPair, direction: PatchingRequest["direction"]) {
  const same = clean.shape.join() === corrupt.shape.join();
  check(same, "gradients/pair", "the two prompts have different lengths", {
    got: `[${clean.shape.join(", ")}] and [${corrupt.shape.join(", ")}]`,
    wanted: "one shape: position i of one is compared with position i of the other",
  });
  return direction === "noising"
    ? { base: clean, source: corrupt }
    : { base: corrupt, source: clean };
}

/** The shape [batch, ...per], and each number's part as a flat index into it. */
function partsOf(model: Model, site: string, tokens: Tensor, per: readonly Axis[]) {
  const { axes } = findSite(model.config, site).row;
  const odd = per.find((axis) => axis === "batch" || !axes.includes(axis));
  check(odd === undefined, "gradients/axes", `${site} has no parts along ${odd}`, {
    where: site,
    got: per.join(", "),
    wanted: axes.filter((axis) => axis !== "batch").join(", "),
  });
  const [batch, pos] = tokens.shape as [number, number];
  const full = siteShape(model.config, site, { batch, pos });
  const kept = axes.map((axis) => axis === "batch" || per.includes(axis));
  const shape = full.filter((_, i) => kept[i]);
  // How far a step along each axis moves in the flat list of parts.
  const steps = full.map((_, i) => (kept[i] ? sizeOf(full.filter((_, j) => j > i && kept[j])) : 0));
  return {
    shape,
    each(visit: (part: number, at: number) => void): void {
      const index = full.map(() => 0);
      const size = sizeOf(full);
      for (let at = 0; at < size; at++) {
        visit(
          index.reduce((sum, x, i) => sum + x * steps[i]!, 0),
          at,
        );
        for (let i = full.length - 1; i >= 0 && ++index[i]! === full[i]; i--) index[i] = 0;
      }
    },
  };
}
