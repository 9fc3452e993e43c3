import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectedTokens, logSumExp } from "./prompt-expected.ts";
import { promptWindows } from "./prompt-windows.ts";

describe("windows", () => {
  test("keep every token once, in order, with half a context before it", () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 2, max: 64 }), (n_tokens, n_ctx) => {
        const windows = promptWindows(n_tokens, n_ctx);
        let kept = 0;
        for (const { start, end, keep } of windows) {
          expect(end - start).toBeLessThanOrEqual(n_ctx);
          expect(keep).toBe(kept);
          expect(end).toBeGreaterThan(keep);
          if (keep > 0) expect(keep - start).toBeGreaterThanOrEqual(Math.floor(n_ctx / 2));
          kept = end;
        }
        expect(kept).toBe(n_tokens);
      }),
    );
  });

  test("of a short text are one", () => {
    expect(promptWindows(5, 8)).toEqual([{ start: 0, end: 5, keep: 0 }]);
    expect(promptWindows(8, 8)).toEqual([{ start: 0, end: 8, keep: 0 }]);
    expect(promptWindows(0, 8)).toEqual([]);
  });
});

describe("what is expected", () => {
  test("are the likeliest tokens with their probabilities", () => {
    const row = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 5, maxLength: 40 });
    fc.assert(
      fc.property(row, (values) => {
        const logits = Float32Array.from(values);
        const whole = values.reduce((sum, x) => sum + Math.exp(x), 0);
        expect(logSumExp(logits)).toBeCloseTo(Math.log(whole), 9);
        const found = expectedTokens(logits, 5);
        const wanted = values.map((x) => Math.exp(x) / whole).sort((a, b) => b - a);
        expect(found).toHaveLength(5);
        found.forEach(({ id, p }, i) => {
          expect(p).toBeCloseTo(wanted[i]!, 9);
          expect(p).toBeCloseTo(Math.exp(values[id]!) / whole, 9);
        });
        expect(new Set(found.map(({ id }) => id)).size).toBe(5);
      }),
    );
  });

  test("does not overflow", () => {
    expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.log(2), 3);
  });
});
