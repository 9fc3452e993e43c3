// How many rows go into one run: outputs cost a copy of their bytes, and memory is bounded.

/** Outputs of one run beyond this are split over several runs. */
export const outputLimitBytes = 64 * 2 ** 20;

/**
 * The largest batch whose outputs stay within the limit, at least 1 and at most `rows`; a divisor
 * is not needed, as the last batch is padded. `bytesPerRow` counts all outputs of one row.
 */
export function rowsPerRun(
  rows: number,
  { bytesPerRow, limit = outputLimitBytes }: { bytesPerRow: number; limit?: number },
): number {
  const fit = Math.floor(limit / Math.max(1, bytesPerRow));
  const most = Math.max(1, Math.min(rows, fit));
  // Equal runs: 33 rows at 32 a run are 17 and 16, not 32 and a run of padding.
  return Math.ceil(rows / Math.ceil(rows / most));
}
