// Between which shares does a proportion lie? Wilson (1927), 95 %.
import type { Estimate } from "./claim.ts";

const z = 1.959963984540054;

/** Tokens of one document are not independent: use it for a band's few tokens, not for a claim. */
export function wilson(successes: number, n: number): Estimate | null {
  if (n === 0) return null;
  const p = successes / n;
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return {
    value: p,
    low: successes === 0 ? 0 : Math.max(0, middle - half),
    high: successes === n ? 1 : Math.min(1, middle + half),
  };
}
