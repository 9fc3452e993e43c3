// A job without a model: it counts, so that runner, server and command line can be tried alone.
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { check } from "../base/errors.ts";
import { throwIfStopped } from "../base/progress.ts";
import { putJson } from "../storage/store.ts";
import { readJson } from "../workspace/json.ts";
import type { JobContext } from "./events.ts";

export const RehearsalInputSchema = z.object({
  steps: z.number().int().positive().default(20),
  step_ms: z.number().nonnegative().default(50),
  seed: z.number().int().default(0),
  /** Throw at this step. */
  fail_at: z.number().int().optional(),
  /** Die at this step, as a process that is killed does. */
  die_at: z.number().int().optional(),
});

export type RehearsalInput = z.infer<typeof RehearsalInputSchema>;

const CheckpointSchema = z.object({ step: z.number().int(), sum: z.number() });

/** Sums 1…steps, one step at a time; continues from its checkpoint. */
export async function rehearsal(
  { steps, step_ms, seed, fail_at, die_at }: RehearsalInput,
  { onEvent, onProgress, store, run, ...context }: JobContext,
): Promise<{ steps: number; sum: number; continued_at: number }> {
  const key = `cache/${run}/checkpoint.json`;
  const known = (await store.size(key)) !== undefined;
  let { step, sum } = known
    ? await readJson(store, key, CheckpointSchema, "artifact/manifest")
    : { step: 0, sum: 0 };
  const continued_at = step;
  onEvent({
    type: "run-started",
    model: "none",
    site: "none",
    seed,
    total_tokens: steps,
    stages: [{ name: "count", total: steps, unit: "steps" }],
  });
  while (step < steps) {
    throwIfStopped(context);
    await sleep(step_ms);
    step++;
    check(step !== fail_at, "rehearsal/failed", "failed as asked", { got: `step ${step}` });
    if (step === die_at) process.kill(process.pid, "SIGKILL");
    sum += step;
    await putJson(store, key, { step, sum });
    onProgress({ stage: "count", done: step, total: steps, unit: "steps", metrics: { sum } });
  }
  return { steps, sum, continued_at };
}
