// Who may talk to the server: this machine's browser, on our own pages; the token for what writes.
import { timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import { check, fail } from "../base/errors.ts";

const ours = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * A foreign Host is a name that was pointed at 127.0.0.1 (DNS rebinding); a foreign Origin is another
 * page's script. Errors: `request/host`, `request/origin`.
 */
export const sameMachine: MiddlewareHandler = async (c, next) => {
  const host = c.req.header("host") ?? new URL(c.req.url).host;
  const url = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
  check(
    url !== undefined &&
      ours.has(url.hostname) &&
      url.host === host.toLowerCase().replace(/:80$/, ""),
    "request/host",
    "this server answers to localhost and 127.0.0.1 only",
    { got: host, wanted: "localhost or 127.0.0.1" },
  );
  const origin = c.req.header("origin");
  check(
    origin === undefined || origin === `http://${host}`,
    "request/origin",
    "this server answers to its own pages only",
    { got: origin, wanted: `http://${host}` },
  );
  // Browsers say so even where they send no Origin.
  const site = c.req.header("sec-fetch-site");
  check(
    c.req.method === "GET" ||
      c.req.method === "HEAD" ||
      site === undefined ||
      site === "same-origin",
    "request/origin",
    "this server answers to its own pages only",
    { got: site, wanted: "same-origin" },
  );
  // The adapter tidies paths up before we see them; who sends such a one means harm.
  const path = (c.env as Partial<HttpBindings>)?.incoming?.url?.split("?")[0] ?? "";
  check(!/(^|\/)\.\.?(\/|$)/.test(path), "request/path", "this address leaves the app", {
    got: path,
  });
  await next();
  const { headers } = c.res;
  headers.set("X-Content-Type-Options", "nosniff");
  // The address may hold the token.
  headers.set("Referrer-Policy", "no-referrer");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("X-Frame-Options", "DENY");
};

/** `Authorization: Bearer …` or `?token=…`. Refuses with `request/token`. */
export function requireToken(token: string): MiddlewareHandler {
  return async (c, next) => {
    const header = /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1];
    const given = header ?? c.req.query("token");
    if (given === undefined || !same(given, token))
      fail("request/token", "this needs the token of the printed address", {
        hint: "open the address that the terminal shows, with ?token=…",
      });
    await next();
  };
}

function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
