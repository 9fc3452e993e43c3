import { describe, expect, test } from "vitest";
import type { RunEvent } from "../workspace/events.ts";
import { progressEvents } from "./events.ts";

describe("progress", () => {
  test("becomes few events: the first, the last, and some between", () => {
    const events: RunEvent[] = [];
    let time = 0;
    const say = progressEvents(
      (event) => events.push(event),
      () => time,
    );
    for (let done = 1; done <= 1000; done++) {
      time += 1;
      say({ stage: "train", done, total: 1000, unit: "steps", metrics: { loss: 1 / done } });
    }
    const stages = events.filter((event) => event.type === "stage");
    expect(stages).toHaveLength(6);
    expect(stages[0]).toMatchObject({ done: 1, state: "running" });
    expect(stages.at(-1)).toMatchObject({ done: 1000, state: "done" });
    expect(events.filter((event) => event.type === "metric").at(-1)).toMatchObject({
      tokens: 1000,
      values: { loss: 0.001 },
    });
  });

  test("of two stages does not hide each other", () => {
    const events: RunEvent[] = [];
    const say = progressEvents(
      (event) => events.push(event),
      () => 0,
    );
    say({ stage: "a", done: 1, total: 9, unit: "x" });
    say({ stage: "b", done: 1, total: 9, unit: "x" });
    expect(events).toHaveLength(2);
  });
});
