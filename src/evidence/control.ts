// What does the same procedure find where the effect cannot be? Controls of several draws, pooled.
import type { Control, ControlKind, Estimate } from "./claim.ts";
import type { PairFigures } from "./document-sums.ts";
import type { ContextFigure } from "./judge.ts";

export type PairKey = keyof PairFigures;
export const pairKeys: readonly PairKey[] = ["r", "r_given_token", "precision", "recall", "weight"];

/** What a page shows beside every figure. JSON: it is stored with a bundle and filled in later. */
export interface ControlFigures {
  kind: ControlKind;
  /** How many times the control was made (one dictionary on one permuted model is one draw). */
  draws: number;
  contexts: Record<string, ControlContext>;
  /** Density and histogram shape of the control's features, by rising density. */
  shapes?: { density: number[]; counts: number[][] };
}

export interface ControlContext {
  figures: Record<PairKey, Control>;
  /** Share in the context by band, weakest first; null where a band is empty. */
  bands: (Estimate | null)[];
  quantile_bands: (Estimate | null)[];
}

const nothing: Estimate = { value: 0, low: null, high: null };

/**
 * One draw: value and document interval of the control's own best unit. Several: the mean, and the range of
 * the draws. A context for which no unit of a control rose above zero on select counts as 0.
 */
export function poolControls(
  kind: ControlKind,
  draws: readonly (readonly ContextFigure[])[],
  contexts: readonly string[],
  shapes?: ControlFigures["shapes"],
): ControlFigures {
  const pooled = contexts.map((context): [string, ControlContext] => {
    const found = draws.map((draw) => draw.find((figure) => figure.context === context));
    const figures = Object.fromEntries(
      pairKeys.map((key) => [
        key,
        pool(
          found.map((f) => f?.[key] ?? nothing),
          kind,
        ),
      ]),
    ) as Record<PairKey, Control>;
    const bands = (key: "bands" | "quantile_bands"): (Estimate | null)[] =>
      found.find((f) => f !== undefined)?.[key].map(({ share }) => share) ?? [];
    return [context, { figures, bands: bands("bands"), quantile_bands: bands("quantile_bands") }];
  });
  return { kind, draws: draws.length, contexts: Object.fromEntries(pooled), shapes };
}

function pool(estimates: readonly Estimate[], kind: ControlKind): Control {
  const draws = estimates.length;
  if (draws === 1) return { ...estimates[0]!, kind, draws };
  const values = estimates.map(({ value }) => value);
  return {
    value: values.reduce((sum, v) => sum + v, 0) / draws,
    low: Math.min(...values),
    high: Math.max(...values),
    kind,
    draws,
  };
}
