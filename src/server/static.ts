// The app's files: what lies in dist/web, and index.html for every address that is a page of it.
import { readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context } from "hono";
import { check, fail } from "../base/errors.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".txt": "text/plain; charset=utf-8",
};

const policy = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "base-uri 'self'",
].join("; ");

interface Sent {
  bytes: Uint8Array<ArrayBuffer>;
  zipped: Uint8Array<ArrayBuffer> | undefined;
  mtimeMs: number;
}

/** Refuses with `request/path` what would leave the folder, with `request/unknown` what is not there. */
export function staticFiles(folder: string): (c: Context) => Promise<Response> {
  const cache = new Map<string, Sent>();
  return async (c) => {
    const parts = pathParts(new URL(c.req.url).pathname);
    const name = parts.join("/");
    const wanted = extname(parts.at(-1) ?? "") in types ? name : "index.html";
    const sent = await load(cache, join(folder, wanted));
    if (sent === undefined && wanted === "index.html") return notBuilt();
    if (sent === undefined)
      return fail("request/unknown", "there is no such file", { got: `/${name}` });
    const headers = new Headers({
      "Content-Type": types[extname(wanted)]!,
      Vary: "Accept-Encoding",
    });
    // Names under assets/ hold a hash of the content.
    const hashed = wanted.startsWith("assets/");
    headers.set("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    if (wanted.endsWith(".html")) headers.set("Content-Security-Policy", policy);
    const zip = sent.zipped !== undefined && acceptsGzip(c.req.header("accept-encoding"));
    if (zip) headers.set("Content-Encoding", "gzip");
    return new Response(zip ? sent.zipped! : sent.bytes, { headers });
  };
}

export function acceptsGzip(header: string | undefined): boolean {
  return (header ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .some((part) => /^(gzip|\*)(;\s*q=(?!0(\.0*)?$).*)?$/.test(part));
}

function pathParts(pathname: string): string[] {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch (cause) {
    return fail("request/path", "this address is not well formed", { got: pathname, cause });
  }
  const parts = path.split("/").filter((part) => part !== "");
  const bad = parts.some((part) => part === ".." || part === ".") || /[\0\\]/.test(path);
  check(!bad, "request/path", "this address leaves the app", { got: pathname });
  return parts;
}

async function load(cache: Map<string, Sent>, path: string): Promise<Sent | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  const old = cache.get(path);
  if (old !== undefined && old.mtimeMs === found.mtimeMs) return old;
  const bytes = new Uint8Array(await readFile(path));
  const packed = /\.(woff2|png|ico)$/.test(path) || bytes.length < 1024;
  const zipped = packed ? undefined : new Uint8Array(await promisify(gzip)(bytes));
  const sent = { bytes, zipped, mtimeMs: found.mtimeMs };
  cache.set(path, sent);
  return sent;
}

function notBuilt(): Response {
  const text =
    "<!doctype html><meta charset=utf-8><title>micrographia</title><p>The app is not built: run <code>npm start</code>. The data are at <a href=/api>/api</a>.";
  return new Response(text, { status: 503, headers: { "Content-Type": types[".html"]! } });
}
