// Which jobs there are: name → input schema and function, loaded when they are asked for.
import type { z } from "zod";
import { fail } from "../base/errors.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { JobContext } from "./events.ts";
import type { MadeFrom } from "./identity.ts";

export interface JobEntry {
  /** Parses the input and fills in defaults; what it returns is hashed into the run's id. */
  input: z.ZodType;
  /** Takes what `input` made: each job says for itself what that is. */
  run(input: unknown, context: JobContext): Promise<unknown>;
  /** What the input only names, and the result depends on as much. */
  madeFrom?(input: unknown, workspace: Workspace): Promise<MadeFrom>;
}

const registry: Readonly<Record<string, () => Promise<JobEntry>>> = {
  demo: async () => {
    const { ofModel: madeFrom } = await import("./identity.ts");
    const job = await import("./demo.ts");
    return { input: job.DemoInputSchema, run: job.demo, madeFrom };
  },
  grow: async () => {
    const { ofRecipe: madeFrom } = await import("./identity.ts");
    const job = await import("./grow.ts");
    return { input: job.GrowInputSchema, run: job.grow, madeFrom };
  },
  record: async () => {
    const { ofModel: madeFrom } = await import("./identity.ts");
    const job = await import("./record.ts");
    return { input: job.RecordInputSchema, run: job.record, madeFrom };
  },
  evaluate: async () => {
    const { ofDictionary: madeFrom } = await import("./identity.ts");
    const job = await import("./evaluate.ts");
    return { input: job.EvaluateInputSchema, run: job.evaluate, madeFrom };
  },
  describe: async () => {
    const { ofDescribed: madeFrom } = await import("./identity.ts");
    const job = await import("./describe.ts");
    return { input: job.DescribeInputSchema, run: job.describe, madeFrom };
  },
  train: async () => {
    const { ofModel: madeFrom } = await import("./identity.ts");
    const job = await import("./train.ts");
    return { input: job.TrainInputSchema, run: job.train, madeFrom };
  },
  rehearsal: async () => {
    const job = await import("./rehearsal.ts");
    return { input: job.RehearsalInputSchema, run: job.rehearsal };
  },
};

export const jobNames: readonly string[] = Object.keys(registry);

export async function findJob(name: string): Promise<JobEntry> {
  const load = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (load === undefined)
    return fail("job/unknown", `there is no job ${name}`, {
      got: name,
      wanted: jobNames.join(", "),
    });
  return load();
}
