// What does the model expect next? The likeliest tokens of one row of logits.

export function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > max) max = logits[i]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - max);
  return max + Math.log(sum);
}

/** The `n` likeliest, likeliest first. */
export function expectedTokens(logits: Float32Array, n: number): { id: number; p: number }[] {
  const best: { id: number; logit: number }[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (best.length === n && logit <= best[n - 1]!.logit) continue;
    const at = best.findIndex((b) => b.logit < logit);
    best.splice(at < 0 ? best.length : at, 0, { id, logit });
    best.length = Math.min(best.length, n);
  }
  const whole = logSumExp(logits);
  return best.map(({ id, logit }) => ({ id, p: Math.exp(logit - whole) }));
}
