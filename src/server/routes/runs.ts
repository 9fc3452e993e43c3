// Runs: where one stands, what it says while it works, and asking it to stop.
import type { MiddlewareHandler } from "hono";
import { z } from "zod";
import { StopReplySchema } from "../../api/schemas.ts";
import type { StopReply } from "../../api/types.ts";
import { check, fail } from "../../base/errors.ts";
import { RunStateSchema } from "../../workspace/run-state.ts";
import { type RunHub, streamRun } from "../events.ts";
import { type App, route } from "../route.ts";

/** The jobs that this process started and may stop. */
export interface Jobs {
  startedAt(run: string): number | undefined;
  /** False when nothing of that name runs here. */
  stop(run: string): boolean;
}

const IdSchema = z.object({ id: z.string() });

interface Parts {
  hub: RunHub;
  jobs: Jobs;
  readOnly: string | null;
  guard: MiddlewareHandler;
}

export function runRoutes(app: App, { hub, jobs, readOnly, guard }: Parts): void {
  route(
    app,
    {
      method: "get",
      path: "/api/runs/{id}",
      summary: "Where a run stands",
      params: IdSchema,
      reply: RunStateSchema,
    },
    async ({ params }) => hub.state(params.id),
  );

  route(
    app,
    {
      method: "get",
      path: "/api/runs/{id}/events",
      summary: "A run's states as server-sent events: `state` at each change, `end` at the end",
      params: IdSchema,
      replyType: "text/event-stream",
    },
    async ({ params }, c) => {
      await hub.state(params.id);
      return streamRun(c, hub, params.id);
    },
  );

  route(
    app,
    {
      method: "post",
      path: "/api/runs/{id}/stop",
      summary: "Ask a run to stop; it continues when it is started again",
      params: IdSchema,
      reply: StopReplySchema,
      before: guard,
    },
    async ({ params: { id } }): Promise<StopReply> => {
      await hub.state(id);
      if (readOnly !== null) fail("workspace/read-only", readOnly);
      check(jobs.stop(id), "run/not-running", "this run is not running", { got: id });
      return { id, stopping: true };
    },
  );
}
