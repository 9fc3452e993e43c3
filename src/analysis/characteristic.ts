// On which tokens, and after which, does a feature spend its activation?
import type { Column } from "../evidence/bands.ts";
import type { LabelledTokens } from "../evidence/labels.ts";
import { rounded } from "./histograms.ts";

export interface TokenShare {
  token: number;
  share: number;
}

/** Shares of the summed activation by current and by previous token (of the same document). */
export function characteristicTokens(
  column: Column,
  split: LabelledTokens,
  scratch: { current: Float64Array; previous: Float64Array },
  n = 5,
): { current: TokenShare[]; previous: TokenShare[] } {
  const { tokens, doc } = split;
  let total = 0;
  for (let i = 0; i < column.token.length; i++) {
    const t = column.token[i]!;
    const a = column.value[i]!;
    total += a;
    scratch.current[tokens[t]!]! += a;
    if (t > 0 && doc[t - 1] === doc[t]) scratch.previous[tokens[t - 1]!]! += a;
  }
  const take = (sums: Float64Array): TokenShare[] => {
    const top: TokenShare[] = [];
    for (let v = 0; v < sums.length; v++) {
      const sum = sums[v]!;
      if (sum === 0) continue;
      sums[v] = 0;
      if (top.length === n && sum <= top[n - 1]!.share) continue;
      if (top.length === n) top.pop();
      let at = top.length;
      while (at > 0 && top[at - 1]!.share < sum) at--;
      top.splice(at, 0, { token: v, share: sum });
    }
    return top.map(({ token, share }) => ({ token, share: rounded(share / total) }));
  };
  return { current: take(scratch.current), previous: take(scratch.previous) };
}
