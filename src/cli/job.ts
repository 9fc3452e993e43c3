// A command that is a job: starts it in a process of its own, shows its progress, gives its result.
import { type Outcome, startJob } from "../pipelines/runner.ts";
import { openWorkspace } from "../workspace/workspace.ts";
import { exit, exitCodeOf, problemText } from "./exit.ts";
import { figures } from "./format.ts";
import { onInterrupt } from "./interrupt.ts";
import type { CommonOptions } from "./options.ts";
import { type Talk, talker } from "./talk.ts";

type Common = Pick<CommonOptions, "json" | "quiet" | "threads" | "out">;

/** Resolves with the exit code. Errors: `workspace/locked`, `job/input`. */
export async function runJob(
  name: string,
  input: unknown,
  { json, quiet, threads, out }: Common,
): Promise<number> {
  const workspace = await openWorkspace(out);
  const lock = await workspace.lock();
  const talk = talker({ quiet });
  try {
    const job = await startJob(name, input, {
      workspace,
      threads,
      onEvent: (event) => talk.event(event),
    });
    const interrupt = onInterrupt({
      first: () => {
        talk.say("stopping after this step; Ctrl-C again to stop at once");
        job.stop();
      },
      second: () => job.kill(),
    });
    if (job.known) talk.say(`already done: ${job.id}`);
    const outcome = await job.done;
    interrupt.off();
    talk.end();
    return await report(outcome, { json, talk, asked: interrupt.asked });
  } finally {
    await lock.release();
  }
}

/** Prints how a job ended and gives the exit code. */
export async function report(
  { status, result, problem }: Outcome,
  { json = false, talk, asked = false }: { json?: boolean; talk: Talk; asked?: boolean },
): Promise<number> {
  if (status === "done") {
    await print(json ? JSON.stringify(result) : figures(result).join("\n"));
    return exit.done;
  }
  if (status === "stopped" || asked) {
    talk.say("stopped: run the same command again to continue");
    if (json) await print(JSON.stringify({ stopped: true }));
    return exit.interrupted;
  }
  if (json) await print(JSON.stringify({ problem }));
  process.stderr.write(`${problem === null ? "error: failed" : problemText(problem)}\n`);
  return problem === null ? exit.failed : exitCodeOf(problem);
}

/** Resolves when it is out: exiting must not cut a pipe short. */
export function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}
