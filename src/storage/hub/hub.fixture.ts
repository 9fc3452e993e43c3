// A small server that behaves like the hub, and a second origin that holds its large files.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubWorld {
  /** `revision → path → content`; content of 1,000 bytes or more is held by LFS. */
  revisions: Record<string, Record<string, Uint8Array>>;
  /** Closes the connection of a path so many times, each after half of what it should send. */
  cuts?: Record<string, number>;
  /** Only this token may read. */
  token?: string;
  gated?: boolean;
  ignoreRanges?: boolean;
  /** Sends these bytes in place of the file's. */
  corrupt?: Record<string, Uint8Array>;
  /** Size that the list claims. */
  claims?: Record<string, number>;
  /** Large files are held by Xet, and bridged for those who do not ask for its protocol. */
  xet?: boolean;
  /** With `xet`: the list leaves out what LFS knew. */
  withoutLfs?: boolean;
  /** Answers the first requests with 503. */
  busy?: number;
}

export interface FakeHub {
  url: string;
  /** What was asked: `GET /path range`. */
  log: string[];
  /** Requests with a token that reached the second origin: it must stay 0. */
  leaks: number;
  world: HubWorld;
  close(): Promise<void>;
}

export const repo = "some-org/tiny";

export const commitOf = (files: Record<string, Uint8Array>): string =>
  createHash("sha1")
    .update(JSON.stringify(Object.entries(files).map(([name, bytes]) => [name, etagOf(bytes)])))
    .digest("hex");

export const etagOf = (bytes: Uint8Array): string =>
  isLarge(bytes)
    ? createHash("sha256").update(bytes).digest("hex")
    : createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

const isLarge = (bytes: Uint8Array): boolean => bytes.length >= 1000;

export async function fakeHub(world: HubWorld): Promise<FakeHub> {
  const hub: FakeHub = { url: "", log: [], leaks: 0, world, close: async () => undefined };
  const store = await listen((request, response) => {
    if (request.headers.authorization !== undefined) hub.leaks += 1;
    const path = decodeURIComponent(new URL(request.url!, store.url).searchParams.get("path")!);
    const revision = new URL(request.url!, store.url).searchParams.get("commit")!;
    hub.log.push(`store ${path} ${request.headers.range ?? ""}`.trim());
    sendFile(hub.world, path, filesOf(hub.world, revision)![path]!, request, response);
  });
  const front = await listen((request, response) => {
    hub.log.push(`${request.url} ${request.headers.range ?? ""}`.trim());
    answer(hub, store.url, request, response);
  });
  hub.url = front.url;
  hub.close = async () => {
    for (const { server } of [store, front]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  return hub;
}

function filesOf(world: HubWorld, name: string): Record<string, Uint8Array> | undefined {
  return (
    world.revisions[name] ??
    Object.values(world.revisions).find((files) => commitOf(files) === name)
  );
}

function answer(hub: FakeHub, store: string, request: IncomingMessage, response: ServerResponse) {
  const { world } = hub;
  const { pathname, searchParams } = new URL(request.url!, hub.url);
  const refuse = (status: number, code: string): void => {
    response.writeHead(status, { "x-error-code": code, "content-type": "application/json" });
    response.end(JSON.stringify({ error: code }));
  };
  const json = (value: unknown, headers = {}): void => {
    response.writeHead(200, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
  if ((world.busy ?? 0) > 0) {
    world.busy! -= 1;
    return refuse(503, "");
  }
  if (!pathname.includes(`/${repo}/`)) return refuse(401, "RepoNotFound");
  const bearer = request.headers.authorization;
  if (world.token !== undefined && bearer !== `Bearer ${world.token}`)
    return world.gated
      ? refuse(bearer === undefined ? 401 : 403, "GatedRepo")
      : refuse(401, "RepoNotFound");
  const info = /\/api\/models\/[^/]+\/[^/]+\/revision\/(.+)$/.exec(pathname);
  if (info !== null) {
    const files = filesOf(world, decodeURIComponent(info[1]!));
    if (files === undefined) return refuse(404, "RevisionNotFound");
    return json({ _id: "1", id: repo, sha: commitOf(files), lastModified: "2026-01-01T00:00:00Z" });
  }
  const tree = /\/api\/models\/[^/]+\/[^/]+\/tree\/([0-9a-f]{40})$/.exec(pathname);
  if (tree !== null) {
    const entries = Object.entries(filesOf(world, tree[1]!)!).map(([path, bytes]) => {
      const size = world.claims?.[path] ?? bytes.length;
      const known = isLarge(bytes) && world.withoutLfs !== true;
      const lfs = {
        ...(known ? { lfs: { oid: etagOf(bytes), size, pointerSize: 120 } } : {}),
        ...(isLarge(bytes) && world.xet === true ? { xetHash: xetHashOf(bytes) } : {}),
      };
      const oid = isLarge(bytes) ? "0".repeat(40) : etagOf(bytes);
      return { type: "file", path, size, oid, ...lfs };
    });
    // Two pages.
    const from = Number(searchParams.get("cursor") ?? 0);
    const next = `<${hub.url}${pathname}?recursive=true&cursor=2>; rel="next"`;
    return json(entries.slice(from, from === 0 ? 2 : undefined), from === 0 ? { link: next } : {});
  }
  const resolve = /^\/[^/]+\/[^/]+\/resolve\/([0-9a-f]{40})\/(.+)$/.exec(pathname)!;
  const [, commit, path] = resolve.map(decodeURIComponent) as [string, string, string];
  const bytes = filesOf(world, commit)?.[path];
  if (bytes === undefined) return refuse(404, "EntryNotFound");
  const headers = { "x-repo-commit": commit, etag: `"${etagOf(bytes)}"` };
  if (isLarge(bytes)) {
    const xet = world.xet === true ? xetHeaders(hub.url, bytes) : {};
    // Who asks for Xet's own protocol is told where the pieces are, and gets no bytes.
    if (world.xet === true && request.headers.accept?.includes("vnd.xet-fileinfo")) {
      response.writeHead(200, { ...xet, "content-type": "application/vnd.xet-fileinfo+json" });
      return response.end("{}");
    }
    response.writeHead(302, {
      ...headers,
      ...xet,
      "x-linked-etag": `"${etagOf(bytes)}"`,
      "x-linked-size": bytes.length,
      location: `${store}/?commit=${commit}&path=${encodeURIComponent(path)}`,
    });
    return response.end();
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendFile(world, path, bytes, request, response);
}

const xetHashOf = (bytes: Uint8Array): string =>
  createHash("sha256").update("xet").update(bytes).digest("hex");

function xetHeaders(url: string, bytes: Uint8Array): Record<string, string> {
  const hash = xetHashOf(bytes);
  const read = `<${url}/api/models/${repo}/xet-read-token/main>; rel="xet-auth"`;
  const pieces = `<${url}/v1/reconstructions/${hash}>; rel="xet-reconstruction-info"`;
  return { "x-xet-hash": hash, link: `${read}, ${pieces}` };
}

function sendFile(
  world: HubWorld,
  path: string,
  content: Uint8Array,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const bytes = world.corrupt?.[path] ?? content;
  const range = /^bytes=(\d+)-$/.exec(world.ignoreRanges ? "" : (request.headers.range ?? ""));
  const from = range === null ? 0 : Number(range[1]);
  const part = bytes.subarray(from);
  response.writeHead(range === null ? 200 : 206, {
    "content-length": part.length,
    ...(range === null
      ? {}
      : { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  const cuts = world.cuts?.[path] ?? 0;
  if (cuts === 0) {
    response.end(part);
    return;
  }
  world.cuts![path] = cuts - 1;
  response.write(part.subarray(0, part.length >> 1), () =>
    setTimeout(() => response.destroy(), 20),
  );
}

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; url: string }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
