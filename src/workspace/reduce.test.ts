import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LoggedEvent, LoggedEventSchema, type RunEvent } from "./events.ts";
import { emptyFold, reduce, stateAt } from "./reduce.ts";
import { RunStateSchema } from "./run-state.ts";

const start: RunEvent = {
  type: "run-started",
  model: "field-1l",
  site: "blocks.0.mlp.hook_post",
  seed: 3,
  total_tokens: 1000,
  stages: [
    { name: "train", total: 1000, unit: "tokens", share: 3 },
    { name: "describe", total: 10, unit: "features", share: 1 },
  ],
};

/** Events at so many seconds. */
function run(...events: [number, RunEvent][]) {
  return events.reduce(
    (fold, [s, event]) => reduce(fold, { at: 1000 * s, ...event } as LoggedEvent),
    emptyFold("demo-1", "demo"),
  );
}

describe("the run state", () => {
  test("waits until the run has started", () => {
    const { state } = emptyFold("demo-1", "demo");
    expect(state.status).toBe("waiting");
    expect(RunStateSchema.parse(state)).toEqual(state);
  });

  test("knows stages, times and what remains from their shares", () => {
    const fold = run(
      [100, start],
      [100, { type: "stage", name: "train", state: "running", done: 0 }],
      [160, { type: "stage", name: "train", state: "running", done: 500 }],
    );
    const [train, describe] = fold.state.stages;
    expect(train).toMatchObject({ done: 500, total: 1000, started_s: 0, ended_s: null });
    expect(describe).toMatchObject({ state: "waiting", done: 0, total: 10 });
    // 60 s for half of three quarters: 160 s in all, so 100 s remain.
    expect(fold.state.elapsed_s).toBe(60);
    expect(fold.state.remaining_s).toBeCloseTo(100);
    // The clock goes on between events.
    expect(stateAt(fold, 170_000).elapsed_s).toBe(70);
    const ended = reduce(fold, { at: 200_000, type: "ended", status: "stopped" });
    expect(ended.state).toMatchObject({ status: "stopped", elapsed_s: 100, remaining_s: null });
    expect(ended.state.stages[0]).toMatchObject({ state: "stopped", done: 500, ended_s: 100 });
    expect(stateAt(ended, 999_000).elapsed_s).toBe(100);
  });

  test("adds the time of a continued run and keeps its curves", () => {
    const fold = run(
      [0, start],
      [1, { type: "metric", tokens: 10, values: { FVU: 0.5 } }],
      [2, { type: "metric", tokens: 20, values: { FVU: 0.4 } }],
      [3, { type: "metric", tokens: 30, values: { FVU: 0.3 } }],
      [4, { type: "ended", status: "stopped" }],
      [100, start],
      // It continues from a checkpoint that is older than the last point.
      [101, { type: "metric", tokens: 20, values: { FVU: 0.41, "control.FVU": 0.9 } }],
    );
    expect(fold.state.status).toBe("running");
    expect(fold.state.elapsed_s).toBe(5);
    expect(fold.state.series).toEqual([
      {
        name: "FVU",
        points: [
          [10, 0.5],
          [20, 0.41],
        ],
      },
      { name: "control.FVU", points: [[20, 0.9]] },
    ]);
  });

  test("shows the stages that were announced and no others", () => {
    const reading: RunEvent = { type: "stage", name: "reading files", state: "running", done: 3 };
    const names = (fold: ReturnType<typeof run>) => fold.state.stages.map(({ name }) => name);
    expect(names(run([0, start], [1, reading]))).toEqual(["train", "describe"]);
    expect(names(run([0, { ...start, stages: [] }], [1, reading]))).toEqual(["reading files"]);
  });

  test("counts the dictionary's tokens, not the control's", () => {
    const fold = run(
      [0, start],
      [1, { type: "metric", tokens: 900, values: { FVU: 0.1 } }],
      [2, { type: "metric", tokens: 10, values: { "control.FVU": 0.9 } }],
    );
    expect(fold.state.tokens).toBe(900);
    expect(fold.state.series.map(({ points }) => points)).toEqual([[[900, 0.1]], [[10, 0.9]]]);
  });

  test("tells a failure, and forgets it when the run is started again", () => {
    const problem = { type: "urn:x", title: "the disk is full", status: 507, code: "storage/full" };
    const failed = run(
      [0, start],
      [1, { type: "failed", problem }],
      [1, { type: "ended", status: "failed" }],
    );
    expect(failed.state).toMatchObject({ status: "failed", problem });
    const again = reduce(failed, { at: 5000, ...start } as LoggedEvent);
    expect(again.state).toMatchObject({ status: "running", problem: null });
  });

  test("appends to a context's history and remembers when it appeared", () => {
    const row = { context: "hebrew", feature: 4, reading: null, appeared_at: 10, example: null };
    const fold = run(
      [0, start],
      [1, { type: "contexts", rows: [{ ...row, history: [[10, 0.2]] }] }],
      [2, { type: "contexts", rows: [{ ...row, context: "base64", history: [[20, 0.1]] }] }],
      [
        3,
        { type: "contexts", rows: [{ ...row, feature: 5, appeared_at: 20, history: [[20, 0.6]] }] },
      ],
    );
    expect(fold.state.contexts).toEqual([
      {
        ...row,
        feature: 5,
        appeared_at: 10,
        history: [
          [10, 0.2],
          [20, 0.6],
        ],
      },
      { ...row, context: "base64", history: [[20, 0.1]] },
    ]);
  });

  test("keeps the largest memory, the newest revision and the figures", () => {
    const fold = run(
      [0, start],
      [1, { type: "memory", bytes: 9 }],
      [2, { type: "memory", bytes: 5 }],
      [3, { type: "bundle", dictionary: "d", revision: 2, state: "interim" }],
      [4, { type: "note", text: "reading texts" }],
      [5, { type: "ended", status: "done", figures: { L0: 31 } }],
    );
    expect(fold.state).toMatchObject({ memory_bytes: 9, dictionary: "d", revision: 2 });
    expect(fold.state.status).toBe("done");
    expect(fold.note).toBe("reading texts");
    expect(fold.figures).toEqual({ L0: 31 });
  });

  test("thins long curves: at most 400 points, ends kept, evenly spread, never reordered", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 50 }), (n, step) => {
        let fold = run([0, start]);
        for (let i = 1; i <= n; i++) {
          const metric = { type: "metric", tokens: i * step, values: { loss: 1 / i } } as const;
          fold = reduce(fold, { at: i, ...metric });
        }
        const { points } = fold.state.series[0]!;
        expect(points.length).toBeLessThanOrEqual(400);
        expect(points[0]![0]).toBe(step);
        expect(points.at(-1)![0]).toBe(n * step);
        const gaps = points.slice(1).map(([at], i) => at - points[i]![0]);
        expect(Math.min(...gaps, Number.POSITIVE_INFINITY)).toBeGreaterThan(0);
        expect(Math.max(...gaps, 0)).toBeLessThanOrEqual(Math.max(step, (2 * n * step) / 150));
      }),
      { numRuns: 25 },
    );
  });

  test("events survive being written and read", () => {
    const events: RunEvent[] = [start, { type: "metric", tokens: 1, values: { loss: 2 } }];
    for (const event of events) {
      const logged = { at: 5, ...event };
      expect(LoggedEventSchema.parse(JSON.parse(JSON.stringify(logged)))).toEqual(logged);
    }
    expect(LoggedEventSchema.safeParse({ at: 5, type: "metric", tokens: "many" }).success).toBe(
      false,
    );
  });
});
