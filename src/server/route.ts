// How a route is declared once: for the router, for validation and for /openapi.json.
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { z } from "zod";
import { fail, isError } from "../base/errors.ts";
import { ProblemSchema } from "../workspace/run-state.ts";

export type App = OpenAPIHono;

export interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  method: "get" | "post";
  /** OpenAPI's form: `/api/runs/{id}`. */
  path: string;
  summary: string;
  params?: P;
  query?: Q;
  body?: B;
  /** Left out where the reply is not one JSON document. */
  reply?: z.ZodType;
  replyType?: string;
  before?: MiddlewareHandler;
}

export interface RouteInput<P, Q, B> {
  params: P;
  query: Q;
  body: B;
}

/** What a handler returns is sent as JSON, a Response as it is. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  app: App,
  spec: RouteSpec<P, Q, B>,
  handler: (input: RouteInput<z.infer<P>, z.infer<Q>, z.infer<B>>, c: Context) => Promise<unknown>,
): void {
  const { method, path, summary, params, query, body, before } = spec;
  const content = { [spec.replyType ?? "application/json"]: { schema: spec.reply ?? z.string() } };
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    ...(before === undefined ? {} : { security: [{ token: [] }] }),
    request: {
      ...(params === undefined ? {} : { params: params as never }),
      ...(query === undefined ? {} : { query: query as never }),
      ...(body === undefined
        ? {}
        : { body: { content: { "application/json": { schema: body } } } }),
    },
    responses: {
      200: { description: summary, content },
      default: {
        description: "What went wrong, RFC 9457",
        content: { "application/problem+json": { schema: ProblemSchema } },
      },
    },
  });
  const handle = async (c: Context): Promise<Response> => {
    const input = {
      params: parse(params, c.req.param(), "path"),
      query: parse(query, c.req.query(), "query"),
      body: body === undefined ? undefined : parse(body, await json(c), "body"),
    };
    const reply = await handler(input as never, c);
    return reply instanceof Response ? reply : c.json(reply as object);
  };
  const at = path.replace(/\{(\w+)\}/g, ":$1");
  if (before === undefined) app[method](at, handle);
  else app[method](at, before, handle);
}

function parse(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return fail("request/invalid", `${[where, ...path].join(".")}: ${message}`, {
    where,
    got: path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value),
  });
}

/** A text of a million characters, each of them six bytes of JSON. */
const maxBody = 8 * 2 ** 20;

async function json(c: Context): Promise<unknown> {
  const length = Number(c.req.header("content-length") ?? 0);
  if (length > maxBody) tooLong(length);
  try {
    const text = await c.req.text();
    if (text.length > maxBody) tooLong(text.length);
    return JSON.parse(text);
  } catch (cause) {
    if (isError(cause)) throw cause;
    return fail("request/invalid", "the body is not JSON", { where: "body", cause });
  }
}

function tooLong(got: number): never {
  return fail("request/too-long", "the body is too long", {
    where: "body",
    got: `${got} bytes`,
    wanted: `at most ${maxBody} bytes`,
  });
}
