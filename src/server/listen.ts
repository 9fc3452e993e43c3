// Which port: the wanted one, or the next free one when nobody asked for it by name.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { fail } from "../base/errors.ts";

export const defaultPort = 1665;
const tries = 10;

/** On 127.0.0.1. A `port` that is given and in use is refused with `server/port`. */
export async function listen(
  fetch: (request: Request, env: object) => Response | Promise<Response>,
  { port }: { port?: number } = {},
): Promise<{ server: Server; port: number }> {
  const ports =
    port === undefined ? Array.from({ length: tries + 1 }, (_, i) => defaultPort + i) : [port];
  for (const candidate of ports) {
    const server = createAdaptorServer({ fetch }) as Server;
    const code = await bind(server, candidate);
    if (code === undefined) return { server, port: (server.address() as AddressInfo).port };
    if (code === "EACCES")
      fail("server/port", `port ${candidate} may not be used`, {
        got: candidate,
        hint: "choose one above 1023 with --port",
      });
  }
  return fail("server/port", `port ${ports[0]} is in use`, {
    got: ports.length === 1 ? port : `${ports[0]} to ${ports.at(-1)}`,
    hint:
      port === undefined ? "choose one with --port" : "choose another with --port, or 0 for any",
  });
}

/** The error's code, or undefined when it listens. */
function bind(server: Server, port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE" || cause.code === "EACCES") resolve(cause.code);
      else reject(cause);
    });
    server.listen(port, "127.0.0.1", () => {
      server.removeAllListeners("error");
      resolve(undefined);
    });
  });
}
