// How many rows go into one run: outputs cost a copy of their bytes, and memory is bounded.

/** Outputs that are held at once, by default. */
export const outputLimitBytes = 64 * 2 ** 20;

/**
 * The largest value inside a run may take this share of the output limit: a run holds several such
 * values, and what a run makes is held beside what earlier ones made. Small runs stay in the caches:
 * GPT-2 small reads one row of 256 tokens a tenth faster than eight at once.
 */
export const workShare = 1 / 16;

/**
 * The largest batch that stays within the limit, at least 1 and at most `rows`. `bytesPerRow` is
 * what one row costs.
 */
export function rowsPerRun(
  rows: number,
  { bytesPerRow, limit = outputLimitBytes }: { bytesPerRow: number; limit?: number },
): number {
  const fit = Math.floor(limit / Math.max(1, bytesPerRow));
  const most = Math.max(1, Math.min(rows, fit));
  // Equal runs: 33 rows at 32 a run are 17 and 16, not 32 and one alone.
  return Math.ceil(rows / Math.ceil(rows / most));
}
