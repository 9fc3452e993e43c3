import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { DictionarySummarySchema, FeatureListSchema, FeaturePageSchema } from "../analysis/page.ts";
import { HomeSchema, PromptReplySchema } from "../api/schemas.ts";
import { putText } from "../storage/store.ts";
import { layout } from "../workspace/layout.ts";
import { openRunLog } from "../workspace/run-log.ts";
import { RunStateSchema } from "../workspace/run-state.ts";
import { openWorkspace, type Workspace, writeRequest } from "../workspace/workspace.ts";
import { createApp } from "./app.ts";
import { worldId, writeWorld } from "./bundle.fixture.ts";
import type { PromptAsk, PromptReader } from "./prompt.ts";
import type { App } from "./route.ts";

let folder: string;
let workspace: Workspace;
let app: App;
const stop = vi.fn(() => true);
const read = vi.fn(async (_: PromptAsk) => ({
  tokens: [
    {
      id: 5,
      piece: { text: " hi" },
      start: 0,
      end: 3,
      active: [
        { index: 0, value: 0.5 },
        { index: 6, value: 1.4 },
      ],
      loss: null,
      expected: [{ piece: { text: "!" }, p: 0.5 }],
    },
  ],
  windows: 1,
}));
const prompt: PromptReader = { read, close: async () => undefined };
const base = "http://127.0.0.1:1665";
const get = (path: string, headers: Record<string, string> = {}) =>
  app.request(`${base}${path}`, { headers });
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  app.request(`${base}${path}`, { method: "POST", body: JSON.stringify(body), headers });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "micrographia-server-"));
  workspace = await openWorkspace(folder);
  await writeWorld(workspace);
  await writeRequest(workspace.store, { id: "demo-1", kind: "demo", input: {}, now: 1 });
  const log = await openRunLog(workspace.store, { id: "demo-1", kind: "demo" });
  const run = { model: "m", site: "s", seed: 0, total_tokens: 10, stages: [] };
  log.append({ type: "run-started", ...run });
  log.append({ type: "metric", tokens: 5, values: { FVU: 0.2 } });
  log.append({ type: "ended", status: "done", figures: { L0: 4 } });
  await log.flush();
  const web = join(folder, "web");
  await putText(workspace.store, "web/index.html", "<!doctype html><title>the app</title>");
  await putText(
    workspace.store,
    "web/assets/main-abc123.js",
    `export const a = 1;${" ".repeat(2000)}`,
  );
  await writeFile(join(folder, "secret.txt"), "secret");
  const jobs = { startedAt: () => undefined, stop };
  app = createApp({ workspace, token: "t0k", version: "9.9.9", jobs, prompt, web });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function problem(reply: Response) {
  expect(reply.headers.get("content-type")).toBe("application/problem+json");
  const told = (await reply.json()) as { status: number };
  expect(told.status).toBe(reply.status);
  return told;
}

interface Contract {
  openapi: string;
  components: { schemas: Record<string, unknown> };
  paths: Record<string, Record<string, { parameters: { name: string }[]; security: unknown }>>;
}

describe("who may ask", () => {
  test.each([
    "evil.example",
    "evil.example:1665",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "",
  ])("Host %j is refused", async (host) => {
    const reply = await get("/api", { host });
    expect(reply.status).toBe(403);
    expect(await problem(reply)).toMatchObject({ code: "request/host" });
  });

  test.each(["localhost:1665", "127.0.0.1:1665", "127.0.0.1", "[::1]:1665", "LOCALHOST:80"])(
    "Host %s is answered",
    async (host) => {
      expect((await get("/api", { host })).status).toBe(200);
    },
  );

  test.each(["http://evil.example", "null", "https://127.0.0.1:1665", "http://127.0.0.1:9999"])(
    "Origin %s is refused",
    async (origin) => {
      for (const reply of [
        await get("/api", { origin }),
        await post(`/api/dictionaries/${worldId}/prompt`, { text: "hi" }, { origin }),
      ])
        expect(await problem(reply)).toMatchObject({ code: "request/origin", status: 403 });
    },
  );

  test("our own Origin is answered, and a page elsewhere that hides its own is not", async () => {
    expect((await get("/api", { origin: base })).status).toBe(200);
    const headers = { "sec-fetch-site": "cross-site" };
    const reply = await post(`/api/dictionaries/${worldId}/prompt`, { text: "hi" }, headers);
    expect(await problem(reply)).toMatchObject({ code: "request/origin" });
  });

  test("stopping needs the token, in the header or in the address", async () => {
    const bad: Record<string, string>[] = [
      {},
      { authorization: "Bearer wrong" },
      { authorization: "t0k" },
    ];
    for (const headers of bad)
      expect(await problem(await post("/api/runs/demo-1/stop", {}, headers))).toMatchObject({
        code: "request/token",
        status: 401,
      });
    expect(stop).not.toHaveBeenCalled();
    const by = { authorization: "Bearer t0k" };
    expect(await (await post("/api/runs/demo-1/stop", {}, by)).json()).toEqual({
      id: "demo-1",
      stopping: true,
    });
    expect((await post("/api/runs/demo-1/stop?token=t0k", {})).status).toBe(200);
    stop.mockReturnValueOnce(false);
    expect(await problem(await post("/api/runs/demo-1/stop", {}, by))).toMatchObject({
      code: "run/not-running",
    });
    const reader = createApp({ workspace, token: "t0k", version: "1", readOnly: "pid 7 writes" });
    const reply = await reader.request(`${base}/api/runs/demo-1/stop?token=t0k`, {
      method: "POST",
    });
    expect(await problem(reply)).toMatchObject({ code: "workspace/read-only", status: 409 });
  });
});

describe("what is answered", () => {
  test("home: runs, dictionaries, models", async () => {
    const home = HomeSchema.parse(await (await get("/api")).json());
    expect(home).toMatchObject({ version: "9.9.9", read_only: null });
    expect(home.runs).toEqual([{ id: "demo-1", kind: "demo", status: "done", dictionary: null }]);
    expect(home.dictionaries.map(({ id }) => id)).toEqual([worldId]);
  });

  test("a run's state", async () => {
    const state = RunStateSchema.parse(await (await get("/api/runs/demo-1")).json());
    expect(state).toMatchObject({ id: "demo-1", status: "done", tokens: 5 });
  });

  test("a dictionary, its features by query, one page", async () => {
    const summary = await (await get(`/api/dictionaries/${worldId}`)).json();
    expect(DictionarySummarySchema.parse(summary)).toMatchObject({ d_sae: 64, dead: 8 });
    const path = `/api/dictionaries/${worldId}/features?context=hebrew&limit=2&offset=1`;
    const list = FeatureListSchema.parse(await (await get(path)).json());
    expect(list).toMatchObject({ total: 64, offset: 1, matching: 8 });
    expect(list.rows.map(({ index }) => index)).toEqual([9, 17]);
    const page = await (await get(`/api/dictionaries/${worldId}/features/12`)).json();
    expect(FeaturePageSchema.parse(page)).toMatchObject({ index: 12, dictionary: worldId });
  });

  test("a page goes out as its stored gzip bytes, once a revision", async () => {
    const path = `/api/dictionaries/${worldId}/features/12`;
    const zipped = await get(path, { "accept-encoding": "br, gzip;q=0.5" });
    expect(zipped.headers.get("content-encoding")).toBe("gzip");
    const text = gunzipSync(new Uint8Array(await zipped.arrayBuffer())).toString();
    expect(JSON.parse(text)).toMatchObject({ index: 12 });
    const plain = await get(path, { "accept-encoding": "br, gzip;q=0" });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.text()).toBe(text);
    const etag = zipped.headers.get("etag")!;
    expect((await get(path, { "if-none-match": etag })).status).toBe(304);
    await writeWorld(workspace, { revision: 1 });
    await new Promise((resolve) => setTimeout(resolve, 250));
    const next = await get(path, { "if-none-match": etag });
    expect(next.status).toBe(200);
    expect(await next.json()).toMatchObject({ revision: 1 });
  });

  test("a prompt: features by share of their peak, names from the rows", async () => {
    const body = { text: " hi", top: 1 };
    const reply = await post(`/api/dictionaries/${worldId}/prompt`, body);
    const { tokens, L0 } = PromptReplySchema.parse(await reply.json());
    // Peaks are 1 and 7: half of 1 is more than a fifth of 7.
    expect(tokens[0]!.features).toEqual([
      { index: 0, name: "fires on base64", value: 0.5, share: 0.5 },
    ]);
    expect(L0).toBe(2);
    expect(read).toHaveBeenCalledWith({ model: "world", dictionary: worldId, text: " hi" });
  });

  test("the contract, with every schema by its name", async () => {
    const contract = (await (await get("/openapi.json")).json()) as Contract;
    expect(contract.openapi).toBe("3.1.0");
    const names = Object.keys(contract.components.schemas);
    for (const name of ["Home", "RunState", "FeatureList", "FeaturePage", "Claim", "Problem"])
      expect(names).toContain(name);
    const { parameters } = contract.paths["/api/dictionaries/{id}/features"]!.get!;
    expect(parameters.map(({ name }) => name)).toContain("min_r");
    const { post: stopping } = contract.paths["/api/runs/{id}/stop"]!;
    expect(stopping!.security).toEqual([{ token: [] }]);
    // Every reference leads somewhere.
    for (const [, name] of JSON.stringify(contract).matchAll(/#\/components\/schemas\/(\w+)/g))
      expect(names).toContain(name);
  });
});

describe("what is not there", () => {
  test.each([
    ["/api/dictionaries/none", "dictionary/unknown", 404],
    ["/api/dictionaries/..%2f..%2fetc/features", "dictionary/unknown", 404],
    ["/api/dictionaries/none/features/1", "dictionary/unknown", 404],
    [`/api/dictionaries/${worldId}/features/64`, "dictionary/feature", 404],
    [`/api/dictionaries/${worldId}/features/-1`, "dictionary/feature", 404],
    [`/api/dictionaries/${worldId}/features/1e1`, "dictionary/feature", 404],
    [`/api/dictionaries/${worldId}/features?limit=501`, "request/invalid", 400],
    [`/api/dictionaries/${worldId}/features?sort=age`, "request/invalid", 400],
    ["/api/runs/none", "run/unknown", 404],
    ["/api/runs/none/events", "run/unknown", 404],
    ["/api/runs/..%2fsecret", "run/unknown", 404],
    ["/api/models/none", "model/unknown", 404],
    ["/api/none", "request/unknown", 404],
    ["/assets/none.js", "request/unknown", 404],
    ["/..%2fsecret.txt", "request/path", 400],
    ["/%5c..%5csecret.txt", "request/path", 400],
    ["/a%00.js", "request/path", 400],
    ["/%zz", "request/path", 400],
  ])("%s → %s", async (path, code, status) => {
    expect(await problem(await get(path))).toMatchObject({ code, status });
  });

  test("bodies that are no prompts", async () => {
    const path = `/api/dictionaries/${worldId}/prompt`;
    for (const body of [{}, { text: "" }, { text: 5 }, { text: "a", top: 999 }])
      expect(await problem(await post(path, body))).toMatchObject({ code: "request/invalid" });
    const cut = await app.request(`${base}${path}`, { method: "POST", body: '{"text":' });
    expect(await problem(cut)).toMatchObject({ code: "request/invalid" });
    const long = await post(path, { text: "a".repeat(1_000_001) });
    expect(await problem(long)).toMatchObject({ code: "request/invalid" });
    const huge = await post(path, {}, { "content-length": "99999999" });
    expect(await problem(huge)).toMatchObject({ code: "request/too-long", status: 413 });
  });

  test("a damaged bundle says so, and the others are still listed", async () => {
    const id = "broken-sae-8-k1-s0";
    await putText(workspace.store, layout.current(id), '{"revision":0}');
    await putText(workspace.store, `${layout.revision(id, 0)}/manifest.json`, '{"format":1,"ki');
    expect(await problem(await get(`/api/dictionaries/${id}`))).toMatchObject({
      code: "bundle/damaged",
      status: 500,
    });
    const home = HomeSchema.parse(await (await get("/api")).json());
    expect(home.dictionaries.map((d) => d.id)).toEqual([worldId]);
  });

  test("a server without a reader refuses prompts", async () => {
    const other = createApp({ workspace, token: "t", version: "1" });
    const reply = await other.request(`${base}/api/dictionaries/${worldId}/prompt`, {
      method: "POST",
      body: '{"text":"hi"}',
    });
    expect(await problem(reply)).toMatchObject({ code: "request/busy", status: 503 });
  });
});

describe("the app's files", () => {
  test.each(["/", "/d/some-dictionary", "/d/some-dictionary/12", "/runs/demo-1", "/prompt/a.b"])(
    "%s is the app's page",
    async (path) => {
      const reply = await get(path);
      expect(await reply.text()).toContain("the app");
      expect(reply.headers.get("cache-control")).toBe("no-cache");
      expect(reply.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(reply.headers.get("referrer-policy")).toBe("no-referrer");
    },
  );

  test("assets are kept for good and zipped", async () => {
    const reply = await get("/assets/main-abc123.js", { "accept-encoding": "gzip" });
    expect(reply.headers.get("cache-control")).toContain("immutable");
    expect(reply.headers.get("content-type")).toContain("javascript");
    const text = gunzipSync(new Uint8Array(await reply.arrayBuffer())).toString();
    expect(text).toContain("export const a");
  });
});
