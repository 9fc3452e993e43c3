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
  /** Doubled until the parts add up to the whole within `tolerance`, at most to `maxSteps`. */
  steps?: number;
  maxSteps?: number;
  /** Of the larger of the whole's size and 1e-6. */
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
  /** The largest |Σ attributions − (to − from)| of a row, as a share of Σ |to − from| over rows ÷ rows. */
  gap: number;
  /** Whether the gap came within the tolerance. */
  complete: boolean;
}

/**
 * The path is walked with the midpoint rule. Errors: `gradients/baseline` for another shape, and
 * those of `gradients`.
 */
export async function integratedGradients(
  model: Model,
  backend: Backend,
  tokens: Tensor,
  { site, baseline, steps = 16, maxSteps = 512, tolerance = 0.01, ...request }: IntegratedRequest,
  context: Context = {},
): Promise<Integrated> {
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
  const at = (alpha: number) => {
    // Equal entries stay as they are: scores hold infinities, and ∞ − ∞ is no number.
    const mix = end.data.map((x, i) =>
      x === start.data[i] ? x : start.data[i]! + alpha * (x - start.data[i]!),
    );
    const interventions = [
      ...(request.interventions ?? []),
      replaceWith(site, tensor("float32", shape, mix)),
    ];
    return gradients(model, backend, tokens, {
      ...request,
      interventions,
      sites: [site],
      over: "sum",
    });
  };
  const from = (await at(0)).rows;
  const to = here.rows;
  for (let n = steps; ; n = Math.min(2 * n, maxSteps)) {
    const mean = new Float64Array(end.data.length);
    for (let i = 0; i < n; i++) {
      throwIfStopped(context);
      const { sites } = await at((i + 0.5) / n);
      sites[site]!.data.forEach((g, j) => {
        mean[j]! += g / n;
      });
      context.onProgress?.({ stage: "integrate", done: i + 1, total: n, unit: "gradients" });
    }
    const parts = mean.map((g, i) =>
      end.data[i] === start.data[i] ? 0 : g * (end.data[i]! - start.data[i]!),
    );
    const gap = gapOf(parts, from, to);
    if (gap <= tolerance || n >= maxSteps)
      return {
        attributions: f32(shape, parts),
        from,
        to,
        steps: n,
        gap,
        complete: gap <= tolerance,
      };
  }
}

function gapOf(parts: Float64Array, from: Float32Array, to: Float32Array): number {
  const rows = from.length;
  const width = parts.length / rows;
  let [most, size] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const whole = to[row]! - from[row]!;
    const sum = parts.subarray(row * width, (row + 1) * width).reduce((a, x) => a + x, 0);
    most = Math.max(most, Math.abs(sum - whole));
    size += Math.abs(whole) / rows;
  }
  return most / Math.max(size, 1e-6);
}
