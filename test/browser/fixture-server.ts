// Serves the built app over seeded data that conform to the contract; the browser tests' server.
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { FeatureList, FeatureRow, Home, Problem, PromptReply } from "../../src/api/types.ts";
import {
  dictionaryId,
  neuronSummary,
  neuronsId,
  pageOf,
  pendingId,
  rowOf,
  summaryOf,
} from "./fixture-data.ts";
import { runOf } from "./fixture-run.ts";
import { contexts, rng, samples, toPieces } from "./fixture-text.ts";

const d_sae = 2048;
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const policy =
  "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'";

function refuse(
  c: Context,
  status: number,
  code: string,
  title: string,
  more: Partial<Problem> = {},
) {
  const problem: Problem = { type: "about:blank", title, status, code, ...more };
  return c.body(JSON.stringify(problem), status as 404, {
    "content-type": "application/problem+json",
  });
}

const rowsOf = new Map<string, FeatureRow[]>();
function rows(id: string): FeatureRow[] {
  const kept = rowsOf.get(id);
  if (kept) return kept;
  const made = Array.from({ length: d_sae }, (_, i) => rowOf(i, id === pendingId));
  rowsOf.set(id, made);
  return made;
}

function histogramOf(values: number[], low: number, high: number, bins = 40) {
  const counts = new Array<number>(bins).fill(0);
  for (const v of values)
    counts[Math.min(bins - 1, Math.max(0, Math.floor(((v - low) / (high - low)) * bins)))]!++;
  return {
    edges: Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins),
    counts,
  };
}

function listOf(id: string, query: Record<string, string>): FeatureList {
  const all = rows(id);
  const alive = all.filter((r) => !r.dead);
  const number = (key: string): number | null =>
    query[key] === undefined ? null : Number(query[key]);
  const wanted = query.context?.split(",");
  const q = query.q?.toLowerCase();
  const found = all.filter((row) => {
    const value = row.reading?.estimate.value ?? Number.NEGATIVE_INFINITY;
    if (number("min_r") !== null && !(value >= number("min_r")!)) return false;
    if (number("max_density") !== null && !(row.density <= number("max_density")!)) return false;
    if (number("min_density") !== null && !(row.density >= number("min_density")!)) return false;
    if (query.alive === "1" && row.dead) return false;
    if (query.verdict && row.reading?.verdict !== query.verdict) return false;
    if (wanted && !wanted.includes(row.best_context ?? "")) return false;
    if (!q) return true;
    return `${row.name} ${row.best_context} ${row.next_token?.text} ${row.example?.pieces.map((p) => p.text).join("")}`
      .toLowerCase()
      .includes(q);
  });
  const key = (row: FeatureRow): number => {
    if (query.sort === "density") return row.density;
    if (query.sort === "peak") return row.peak;
    if (query.sort === "index") return row.index;
    if (query.sort === "neuron") return row.reading?.neuron ?? -1;
    return row.reading?.estimate.value ?? -1;
  };
  const sign = query.order === "asc" ? 1 : -1;
  found.sort((a, b) => sign * (key(a) - key(b)) || a.index - b.index);
  const offset = number("offset") ?? 0;
  const verdicts: Record<string, number> = {};
  for (const r of alive)
    if (r.reading) verdicts[r.reading.verdict] = (verdicts[r.reading.verdict] ?? 0) + 1;
  return {
    total: all.length,
    matching: found.length,
    offset,
    rows: found.slice(offset, offset + Math.min(500, number("limit") ?? 100)),
    facets: {
      alive: alive.length,
      dead: all.length - alive.length,
      r: histogramOf(
        alive.map((r) => r.reading!.estimate.value),
        0,
        1,
      ),
      density: histogramOf(
        alive.map((r) => Math.log10(r.density)),
        -6,
        -1,
      ),
      neuron: histogramOf(
        alive.map((r) => r.reading!.neuron ?? 0),
        0,
        1,
      ),
      contexts: contexts
        .map((context) => ({
          context,
          features: alive.filter((r) => r.best_context === context).length,
        }))
        .sort((a, b) => b.features - a.features),
      verdicts,
    },
  };
}

function promptOf(id: string, text: string, top: number): PromptReply {
  let at = 0;
  const tokens = toPieces(text).map((piece, i, all): PromptReply["tokens"][number] => {
    const r = rng(i * 17 + piece.text.length * 101 + (piece.text.codePointAt(0) ?? 0));
    const size = piece.hex ? (all[i - 1]?.hex ? 0 : 2) : piece.text.length;
    const start = at;
    at += size;
    const guess = /[\u0590-\u05ff]/.test(piece.text)
      ? 3
      : /[\u0600-\u06ff]/.test(piece.text)
        ? 4
        : /§|^ ?\d+$|\.$/.test(piece.text)
          ? 8
          : /^[A-Z0-9][A-Za-z0-9]$/.test(piece.text)
            ? 6
            : -1;
    const features = Array.from({ length: 32 }, (_, k) => {
      const index =
        k === 0 && guess >= 0
          ? guess
          : Math.floor(r() * samples.length) + (k > 6 ? samples.length * (k - 6) : 0);
      const row = rows(id)[index]!;
      const share = k === 0 ? 0.55 + 0.43 * r() : 0.5 * Math.exp(-k / 5) * (0.7 + 0.5 * r());
      return { index, name: row.name, value: share * row.peak, share };
    }).filter((f, k, list) => list.findIndex((g) => g.index === f.index) === k);
    features.sort((a, b) => b.share - a.share);
    return {
      id: 100 + i,
      piece,
      start,
      end: at,
      features: features.slice(0, top),
      L0: 32,
      loss: i === 0 ? null : 0.2 + 4.5 * r() ** 2,
      expected: [" the", all[i + 1]?.text || " of", ",", " and", "."].map((t, k) => ({
        piece: { text: t },
        p: [0.41, 0.2, 0.1, 0.06, 0.02][k]!,
      })),
    };
  });
  const losses = tokens.flatMap((t) => (t.loss === null ? [] : [t.loss]));
  return {
    dictionary: id,
    tokens,
    L0: 31.9,
    loss: losses.length > 0 ? losses.reduce((a, b) => a + b, 0) / losses.length : null,
    held_out_loss: 2.96,
    windows: Math.max(1, Math.ceil(tokens.length / 256)),
  };
}

export interface Fixture {
  url: string;
  /** Where the live run stands, 0 to 1; each event moves it on by `step`. */
  live: { t: number; step: number };
  asked: { path: string; authorization: string | null }[];
  close(): Promise<void>;
}

export async function startFixture(web: string, port = 0): Promise<Fixture> {
  const app = new Hono();
  const live = { t: 0.64, step: 0.004 };
  const asked: Fixture["asked"] = [];
  const known = (id: string) => [dictionaryId, pendingId, neuronsId].includes(id);
  const home: Home = {
    version: "0.1.0",
    runs: [
      { id: "8f3a", kind: "demo", status: "running", dictionary: dictionaryId },
      { id: "stopped", kind: "demo", status: "stopped", dictionary: null },
      { id: "failed", kind: "demo", status: "failed", dictionary: null },
    ],
    dictionaries: [false, true].map((pending) => {
      const { claims: _claims, contexts: _contexts, ...rest } = summaryOf(pending);
      return rest;
    }),
    models: ["field-1l"],
    read_only: null,
  };
  app.use(async (c, next) => {
    await next();
    c.header("content-security-policy", policy);
  });
  app.get("/api", (c) => c.json(home));
  app.get("/api/runs/:id", (c) => {
    const id = c.req.param("id");
    if (!home.runs.some((r) => r.id === id))
      return refuse(c, 404, "run/unknown", `There is no run ${id}.`, { got: id, wanted: "8f3a" });
    return c.json(runOf(id, id === "8f3a" ? live.t : 0.64));
  });
  app.get("/api/runs/:id/events", (c) =>
    streamSSE(c, async (stream) => {
      while (!stream.aborted) {
        await stream.writeSSE({
          event: "state",
          data: JSON.stringify(runOf(c.req.param("id"), Math.min(1, live.t))),
        });
        if (live.t >= 1) {
          await stream.writeSSE({ event: "end", data: "{}" });
          return;
        }
        await stream.sleep(250);
        live.t = Math.min(1, live.t + live.step);
      }
    }),
  );
  app.post("/api/runs/:id/stop", (c) => {
    const authorization = c.req.header("authorization") ?? null;
    asked.push({ path: c.req.path, authorization });
    if (authorization !== "Bearer secret-token-1")
      return refuse(
        c,
        401,
        "server/token",
        "The address you opened has no token, so it may only read.",
        { hint: "Open the address that the server printed." },
      );
    return c.json({});
  });
  app.get("/test/live", (c) => {
    live.t = Number(c.req.query("t"));
    live.step = Number(c.req.query("step"));
    return c.text("ok");
  });
  app.get("/api/models", (c) => c.json(["field-1l"]));
  app.get("/api/models/:name", (c) =>
    c.json({
      name: "field-1l",
      config: { n_layers: 1, d_model: 128, d_mlp: 512, act_fn: "relu" },
      parameters: 1_217_536,
      hash: "sha256:9fe2c04d",
      sites: [],
      card: null,
    }),
  );
  app.get("/api/dictionaries/:id", (c) => {
    const id = c.req.param("id");
    if (!known(id))
      return refuse(c, 404, "dictionary/unknown", `There is no dictionary ${id}.`, {
        got: id,
        wanted: dictionaryId,
      });
    return c.json(id === neuronsId ? neuronSummary() : summaryOf(id === pendingId));
  });
  app.get("/api/dictionaries/:id/features", (c) => {
    if (c.req.query("q") === "refuse-me")
      return refuse(c, 500, "bundle/truncated", "The bundle ends too early.", {
        wanted: "12,288 bytes",
        got: "8,192 bytes",
        hint: "Describe the dictionary again.",
      });
    return c.json(listOf(c.req.param("id"), c.req.query()));
  });
  app.get("/api/dictionaries/:id/features/:index", (c) => {
    const index = Number(c.req.param("index"));
    if (!(index >= 0 && index < d_sae))
      return refuse(c, 404, "feature/unknown", `There is no feature ${c.req.param("index")}.`, {
        got: c.req.param("index"),
        wanted: `0 to ${d_sae - 1}`,
      });
    const id = c.req.param("id");
    const page = { ...pageOf(index, id === pendingId), dictionary: id };
    const body = gzipSync(JSON.stringify(page));
    return c.body(body as unknown as ArrayBuffer, 200, {
      "content-type": "application/json",
      "content-encoding": "gzip",
    });
  });
  app.post("/api/dictionaries/:id/prompt", async (c) => {
    const { text, top = 8 } = (await c.req.json()) as { text: string; top?: number };
    asked.push({ path: c.req.path, authorization: c.req.header("authorization") ?? null });
    return c.json(promptOf(c.req.param("id"), text, top));
  });
  app.all("/api/*", (c) => refuse(c, 404, "route/unknown", "There is no such route."));
  app.get("*", async (c) => {
    const path = normalize(c.req.path);
    const file =
      extname(path) in types && !path.includes("..") ? join(web, path) : join(web, "index.html");
    const body = await readFile(file).catch(() => null);
    if (body === null) return c.notFound();
    return c.body(body as unknown as ArrayBuffer, 200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
    });
  });
  const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
  await new Promise<void>((resolve) =>
    server.listening ? resolve() : server.once("listening", () => resolve()),
  );
  const { port: at } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${at}`,
    live,
    asked,
    close: () =>
      new Promise((resolve) => {
        (server as unknown as { closeAllConnections?: () => void }).closeAllConnections?.();
        server.close(() => resolve());
      }),
  };
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const fixture = await startFixture(
    join(process.cwd(), "dist/web"),
    Number(process.argv[2] ?? 4717),
  );
  console.log(fixture.url);
}
