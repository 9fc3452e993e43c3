// How much of a change in the output does each number at a site answer for: gradients integrated along
// the straight way from a baseline (Sundararajan et al. 2017).
import { check } from "../../base/errors.ts";
import { type Context, throwIfStopped } from "../../base/progress.ts";
import { type Model, siteShape } from "../../models/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { f32, sizeOf, type Tensor, tensor } from "../../tensor/tensor.ts";
import { replaceWith } from "../interventions.ts";
import { type GradientRequest, gradients } from "./gradients.ts";

export interface IntegratedRequest
  extends Omit<GradientRequest, "sites" | "weights" | "values" | "over"> {
  site: string;
  /** Zeros when left out; else shaped like the site for these tokens. */
  baseline?: Tensor<"float32">;
  /** Equal parts of the way to begin with. Parts are halved while theirs do not add up. */
  parts?: number;
  /** At most so many gradients. */
  maxSteps?: number;
  /** Of the whole change, the mean over rows of its size. */
  tolerance?: number;
}

export interface Integrated {
  /** Shaped like the site: they add up to `to − from` of each row. */
  attributions: Tensor<"float32">;
  /** The scalar of each row at the baseline, and as it is. */
  from: Float32Array;
  to: Float32Array;
  /** Gradients taken on the way. */
  steps: number;
  /** The largest |Σ attributions − (to − from)| of a row, as a share of the mean |to − from|. */
  gap: number;
  /** Whether the gap came within the tolerance. */
  complete: boolean;
}

interface Node {
  readonly alpha: number;
  readonly rows: Float32Array;
  readonly gradient: Float32Array;
}

/**
 * Simpson's rule, finest where it must be: on each stretch of the way the attributions have to add
 * up to the scalar's change, and where they do not it is halved. (From zeros through a layer norm,
 * nearly everything happens in the first hundredth.) Errors: `gradients/baseline` for another shape,
 * and those of `gradients`.
 */
export async function integratedGradients(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  { site, baseline, parts = 4, maxSteps = 512, tolerance = 0.01, ...request }: IntegratedRequest,
  context: Context = {},
): Promise<Integrated> {
  const { interventions = [] } = request;
  const here = await gradients(model, backend, tokens, { ...request, values: [site] });
  const end = here.values[site]!;
  const [batch, pos] = tokens.shape as [number, number];
  const shape = siteShape(model.config, site, { batch, pos });
  const start = baseline ?? f32(shape, new Float32Array(sizeOf(shape)));
  check(start.shape.join() === shape.join(), "gradients/baseline", "the baseline does not fit", {
    where: site,
    got: `[${start.shape.join(", ")}]`,
    wanted: `[${shape.join(", ")}]`,
  });
  // Equal entries stay as they are: scores hold infinities, and ∞ − ∞ is no number.
  const change = end.data.map((x, i) => (x === start.data[i] ? 0 : x - start.data[i]!));
  let steps = 0;
  const at = async (alpha: number): Promise<Node> => {
    throwIfStopped(context);
    steps += 1;
    const mix = start.data.map((x, i) => (change[i] === 0 ? x : x + alpha * change[i]!));
    const { rows, sites } = await gradients(model, backend, tokens, {
      ...request,
      interventions: [...interventions, replaceWith(site, tensor("float32", shape, mix))],
      sites: [site],
      over: "sum",
    });
    context.onProgress?.({ stage: "integrate", done: steps, total: maxSteps, unit: "gradients" });
    return { alpha, rows, gradient: sites[site]!.data };
  };

  const first = await at(0);
  const size = Math.max(1e-6, meanSize(here.rows, first.rows));
  const sums = new Float64Array(change.length);
  /** Adds [a, b], by halves where its attributions do not add up. */
  const walk = async (a: Node, b: Node, middle: Node): Promise<void> => {
    const width = b.alpha - a.alpha;
    const own = change.map(
      (x, i) => x * (width / 6) * (a.gradient[i]! + 4 * middle.gradient[i]! + b.gradient[i]!),
    );
    const allowed = (tolerance / 2) * Math.max(size * width, meanSize(b.rows, a.rows));
    if (largestGap(own, a.rows, b.rows) <= allowed || steps + 2 > maxSteps) {
      own.forEach((x, i) => {
        sums[i]! += x;
      });
      return;
    }
    await walk(a, middle, await at(a.alpha + width / 4));
    await walk(middle, b, await at(a.alpha + (3 * width) / 4));
  };
  let before = first;
  for (let part = 0; part < parts; part++) {
    const middle = await at((part + 0.5) / parts);
    const next = await at((part + 1) / parts);
    await walk(before, next, middle);
    before = next;
  }
  const gap = largestGap(sums, first.rows, here.rows) / size;
  return {
    attributions: f32(shape, sums),
    from: first.rows,
    to: here.rows,
    steps,
    gap,
    complete: gap <= tolerance,
  };
}

function meanSize(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + Math.abs(x - b[i]!), 0) / a.length;
}

/** The largest difference of a row between what its attributions add up to and its change. */
function largestGap(parts: ArrayLike<number>, from: Float32Array, to: Float32Array): number {
  const width = parts.length / from.length;
  let most = 0;
  for (let row = 0; row < from.length; row++) {
    let sum = from[row]! - to[row]!;
    for (let i = row * width; i < (row + 1) * width; i++) sum += parts[i]!;
    most = Math.max(most, Math.abs(sum));
  }
  return most;
}
