// What the server answers: the routes over one project folder, behind one door.
import { OpenAPIHono } from "@hono/zod-openapi";
import { openBundle } from "../analysis/bundle-read.ts";
import { fail } from "../base/errors.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { bundleShelf, type OpenBundle } from "./bundles.ts";
import { runHub } from "./events.ts";
import { modelShelf } from "./models.ts";
import { problemResponse } from "./problems.ts";
import type { PromptReader } from "./prompt.ts";
import type { App } from "./route.ts";
import { dictionaryRoutes } from "./routes/dictionaries.ts";
import { homeRoutes } from "./routes/home.ts";
import { modelRoutes } from "./routes/models.ts";
import { promptRoutes } from "./routes/prompt.ts";
import { type Jobs, runRoutes } from "./routes/runs.ts";
import { requireToken, sameMachine } from "./security.ts";
import { staticFiles } from "./static.ts";

export interface AppParts {
  workspace: Workspace;
  /** What stopping and starting asks for. */
  token: string;
  version: string;
  openBundle?: OpenBundle;
  jobs?: Jobs;
  /** Why this server only reads. */
  readOnly?: string | null;
  /** Reads prompts; without one the route answers 503. */
  prompt?: PromptReader;
  /** Where the built app lies. */
  web?: string;
}

const noJobs: Jobs = { startedAt: () => undefined, stop: () => false };

export function createApp(parts: AppParts): App {
  const { workspace, token, version, jobs = noJobs, readOnly = null } = parts;
  const app = new OpenAPIHono();
  app.onError((error) => problemResponse(error));
  app.use(sameMachine);

  const hub = runHub(workspace, { startedAt: jobs.startedAt });
  const models = modelShelf(workspace.folder);
  const shelf = bundleShelf(workspace, parts.openBundle ?? openBundle);
  homeRoutes(app, { version, readOnly, hub, models, shelf });
  runRoutes(app, { hub, jobs, readOnly, guard: requireToken(token) });
  modelRoutes(app, { models });
  dictionaryRoutes(app, { shelf });
  promptRoutes(app, { shelf, prompt: parts.prompt });

  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
  });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "micrographia", version, license: { name: "MIT" } },
    servers: [{ url: "/" }],
  });
  app.all("/api/*", (c) => fail("request/unknown", "there is no such route", { got: c.req.path }));
  if (parts.web !== undefined) app.get("*", staticFiles(parts.web));
  app.notFound((c) => problemResponse(unknown(`${c.req.method} ${c.req.path}`)));
  return app;
}

function unknown(got: string): unknown {
  try {
    return fail("request/unknown", "there is nothing here", { got });
  } catch (error) {
    return error;
  }
}
