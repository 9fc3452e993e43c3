// How a text that is longer than the model's context is read: in windows that overlap by half.

export interface Window {
  /** Tokens [start, end) are given to the model … */
  start: number;
  end: number;
  /** … and what it says about [keep, end) is kept. */
  keep: number;
}

/** Each token is read with at least half a context before it, or with all that there is. */
export function promptWindows(n_tokens: number, n_ctx: number): Window[] {
  if (n_tokens === 0) return [];
  const stride = Math.max(1, Math.floor(n_ctx / 2));
  const windows: Window[] = [{ start: 0, end: Math.min(n_tokens, n_ctx), keep: 0 }];
  for (let end = n_ctx; end < n_tokens; ) {
    const next = Math.min(n_tokens, end + stride);
    windows.push({ start: next - n_ctx, end: next, keep: end });
    end = next;
  }
  return windows;
}
