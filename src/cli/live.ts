// A command that is a job with a page: the server opens at once, the job runs beside it.
import type { Outcome, RunningJob } from "../pipelines/runner.ts";
import { serve } from "../server/serve.ts";
import { openBrowser } from "./browser.ts";
import { exit } from "./exit.ts";
import { onInterrupt } from "./interrupt.ts";
import { report } from "./job.ts";
import type { CommonOptions } from "./options.ts";
import { talker } from "./talk.ts";

export interface LiveOptions extends Pick<CommonOptions, "json" | "quiet" | "threads" | "out"> {
  port?: number;
  open: boolean;
  /** End when the job is done, instead of serving on. */
  once?: boolean;
}

/** Resolves with the exit code. Errors: `workspace/locked`, `server/port`, `job/input`. */
export async function runLive(name: string, input: object, options: LiveOptions): Promise<number> {
  const { json, quiet, threads, out, port, once = false } = options;
  const began = performance.now();
  const talk = talker({ quiet });
  let job: RunningJob | undefined;
  let over = false;
  const interrupt = onInterrupt({
    first: () => {
      if (over) return;
      talk.say("stopping after this step; Ctrl-C again to stop at once");
      job?.stop();
    },
    second: () => {
      job?.kill();
      process.exit(exit.interrupted);
    },
  });
  const server = await serve({ folder: out, port, threads, mustWrite: true });
  talk.say(`micrographia  ${server.privateUrl}`);
  try {
    job = await server.start(name, input, { onEvent: (event) => talk.event(event) });
    if (interrupt.asked) job.stop();
    if (options.open && !once && !json) openBrowser(server.privateUrl);
    const outcome = withCost(await job.done, (performance.now() - began) / 1000);
    over = true;
    talk.end();
    const code = await report(outcome, { json, talk, asked: interrupt.asked });
    if (once || code !== exit.done) return code;
    talk.say(`${job.known ? "already done" : "done"}: look at ${server.url}  (Ctrl-C to end)`);
    await interrupt.first;
    return exit.interrupted;
  } finally {
    interrupt.off();
    await server.close();
  }
}

/** Memory of the process that worked and of the one that served, together. */
function withCost(outcome: Outcome, seconds: number): Outcome {
  if (outcome.status !== "done") return outcome;
  const peak_memory = outcome.memory_bytes + process.resourceUsage().maxRSS * 1024;
  return { ...outcome, result: { ...(outcome.result as object), seconds, peak_memory } };
}
