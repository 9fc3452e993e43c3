import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HomeSchema } from "../api/schemas.ts";
import { RunStateSchema } from "../workspace/run-state.ts";
import { defaultPort, listen } from "./listen.ts";
import { type RunningServer, serve } from "./serve.ts";

let folder: string;
const open: RunningServer[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-serve-"));
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: { port?: number; mustWrite?: boolean } = {}): Promise<RunningServer> {
  const server = await serve({ folder, port: 0, ...options });
  open.push(server);
  return server;
}

/** As it stands on the wire: fetch would tidy the path up. */
function raw(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const ask = request({ host: "127.0.0.1", port, path, headers }, (reply) => {
      reply.resume();
      resolve(reply.statusCode!);
    });
    ask.on("error", reject);
    ask.end();
  });
}

interface Told {
  event: string;
  data: Record<string, unknown>;
  at: number;
}

async function* eventsOf(reply: Response): AsyncGenerator<Told> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of reply.body!) {
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts) {
      const event = /^event: (.*)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (event !== undefined) yield { event, data: JSON.parse(data!), at: performance.now() };
    }
  }
}

describe("the port", () => {
  test("that was asked for and is in use is refused", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    await expect(start({ port })).rejects.toMatchObject({ code: "server/port", got: port });
    other.close();
    // What failed to start does not keep the folder.
    expect((await start()).readOnly).toBeNull();
  });

  test("that nobody asked for may be the next free one", async () => {
    const answer = () => new Response("");
    const first = await listen(answer);
    const second = await listen(answer);
    expect(first.port).toBeGreaterThanOrEqual(defaultPort);
    expect(second.port).toBeGreaterThan(first.port);
    expect(second.port).toBeLessThanOrEqual(defaultPort + 10);
    first.server.close();
    second.server.close();
  });
});

describe("a server", () => {
  test("answers on this machine, to its own name, inside its folder", async () => {
    const { url, port } = await start();
    expect((await fetch(`${url}api`)).status).toBe(200);
    expect(await raw(port, "/api", { host: "evil.example" })).toBe(403);
    expect(await raw(port, "/api/dictionaries/../../../etc/passwd")).toBe(400);
    expect(await raw(port, "/assets/../../../../etc/passwd.txt")).toBe(400);
    expect(await raw(port, "/..%2f..%2f..%2f..%2fetc%2fpasswd")).toBe(400);
    expect(await raw(port, "/etc/passwd.txt")).toBe(404);
  });

  test("second on a folder only reads, and says who writes", async () => {
    await start();
    const second = await start();
    expect(second.readOnly).toContain(`process ${process.pid}`);
    const home = HomeSchema.parse(await (await fetch(`${second.url}api`)).json());
    expect(home.read_only).toBe(second.readOnly);
    await expect(second.start("rehearsal", {})).rejects.toMatchObject({
      code: "workspace/read-only",
    });
    await expect(start({ mustWrite: true })).rejects.toMatchObject({ code: "workspace/locked" });
  });

  test("streams a run's states, at most four a second, to the end", async () => {
    const server = await start();
    const job = await server.start("rehearsal", { steps: 40, step_ms: 40 });
    const told: Told[] = [];
    const reply = await fetch(`${server.url}api/runs/${job.id}/events`);
    expect(reply.headers.get("content-type")).toContain("text/event-stream");
    for await (const event of eventsOf(reply)) told.push(event);
    const states = told.filter(({ event }) => event === "state");
    for (const { data } of states) RunStateSchema.parse(data);
    expect(states[0]!.data.status).toBe("waiting");
    expect(states.at(-1)!.data).toMatchObject({ status: "done", tokens: 40 });
    expect(told.at(-1)).toMatchObject({ event: "end", data: { status: "done" } });
    expect(states.length).toBeGreaterThan(4);
    const seconds = (states.at(-1)!.at - states[0]!.at) / 1000;
    expect(states.length).toBeLessThanOrEqual(4 * seconds + 2);
    await job.done;
  });

  test("stops a run when it is asked with the token, and shows it go on when started again", async () => {
    const server = await start();
    const input = { steps: 30, step_ms: 50 };
    const job = await server.start("rehearsal", input);
    for await (const { data } of eventsOf(await fetch(`${server.url}api/runs/${job.id}/events`)))
      if ((data.tokens as number) >= 3) break;
    const stop = `${server.url}api/runs/${job.id}/stop`;
    expect((await fetch(stop, { method: "POST" })).status).toBe(401);
    const headers = { authorization: `Bearer ${server.token}` };
    expect((await fetch(stop, { method: "POST", headers })).status).toBe(200);
    expect((await job.done).status).toBe("stopped");
    const again = await server.start("rehearsal", input);
    const states: unknown[] = [];
    for await (const { event, data } of eventsOf(
      await fetch(`${server.url}api/runs/${job.id}/events`),
    ))
      if (event === "state") states.push(data.status);
    // The end of the session before is not taken for the end of this one.
    expect(states[0]).toBe("waiting");
    expect(states.at(-1)).toBe("done");
    expect((await again.done).result).toMatchObject({ sum: 465 });
  });

  test("closes while a page listens, and lets the job drain", async () => {
    const server = await serve({ folder, port: 0 });
    const job = await server.start("rehearsal", { steps: 500, step_ms: 20 });
    const reply = await fetch(`${server.url}api/runs/${job.id}/events`);
    const reading = (async () => {
      for await (const _ of eventsOf(reply));
    })().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await server.close();
    await reading;
    expect((await job.done).status).toBe("stopped");
    // The folder is free again.
    expect((await start()).readOnly).toBeNull();
  });
});
