// How often is a random positive stronger than a random negative? AUROC over documents.
import type { Resamples } from "./bootstrap.ts";
import { percentileInterval } from "./bootstrap.ts";
import type { Estimate } from "./claim.ts";

/** Plain AUROC, ties counted half; 0.5 when one side is empty. */
export function auroc(score: ArrayLike<number>, positive: ArrayLike<number>): number {
  const ordered = order(score);
  return weightedAuroc(score, positive, ordered, () => 1);
}

function order(score: ArrayLike<number>): Uint32Array {
  const index = Uint32Array.from({ length: score.length }, (_, i) => i);
  return index.sort((a, b) => score[a]! - score[b]!);
}

/** Pairs (positive, negative) weighted by the product of their documents' weights. */
function weightedAuroc(
  score: ArrayLike<number>,
  positive: ArrayLike<number>,
  ordered: Uint32Array,
  weight: (i: number) => number,
): number {
  let below = 0; // weight of negatives with a smaller score
  let wins = 0;
  let positives = 0;
  for (let i = 0; i < ordered.length; ) {
    const value = score[ordered[i]!]!;
    let tiedPositive = 0;
    let tiedNegative = 0;
    for (; i < ordered.length && score[ordered[i]!]! === value; i++) {
      const w = weight(ordered[i]!);
      if (positive[ordered[i]!]) tiedPositive += w;
      else tiedNegative += w;
    }
    wins += tiedPositive * (below + tiedNegative / 2);
    below += tiedNegative;
    positives += tiedPositive;
  }
  return positives > 0 && below > 0 ? wins / (positives * below) : Number.NaN;
}

/** AUROC of occurrences, with an interval over resampled documents. */
export function aurocInterval(
  score: ArrayLike<number>,
  positive: ArrayLike<number>,
  doc: ArrayLike<number>,
  { draws, times }: Resamples,
): Estimate {
  const ordered = order(score);
  const value = weightedAuroc(score, positive, ordered, () => 1);
  if (Number.isNaN(value)) return { value: 0.5, low: null, high: null };
  // A draw weights documents only, so ordering once is enough.
  return percentileInterval(value, draws, (b) =>
    weightedAuroc(score, positive, ordered, (i) => times[doc[i]! * draws + b]!),
  );
}
