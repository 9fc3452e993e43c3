// One file from the hub into its blob: continued where it was cut, and checked before it has its name.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { check, isError } from "../../base/errors.ts";
import { writeError } from "../write-error.ts";
import { fileSize } from "./layout.ts";
import { pause, type RequestOptions, request, stopped, unreachable } from "./requests.ts";

export interface RemoteFile {
  path: string;
  size: number;
  /** SHA-256 of the content where git LFS or Xet holds it, git's own SHA-1 otherwise. */
  etag: string;
}

export interface BlobOptions extends RequestOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Bytes that arrived; negative when they had to be thrown away. */
  onBytes?: (bytes: number) => void;
  /** No byte for so long counts as a cut. */
  stallMs: number;
}

/** Attempts in a row that may bring nothing. */
const patience = 4;

/**
 * Writes `<blob>.incomplete` and renames it when its hash is right. Errors: `hub/unreachable`,
 * `hub/checksum`, `hub/…` for refusals, `storage/full`, `run/interrupted`.
 */
export async function downloadBlob(
  file: RemoteFile,
  blob: string,
  options: BlobOptions,
): Promise<void> {
  const partial = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  for (let wrong = 0; ; wrong++) {
    const got = await fetchRest(file, partial, options);
    if (got === file.etag) break;
    // A remainder of another file, or bytes that were changed on the way: once more from the start.
    await rm(partial, { force: true });
    options.onBytes?.(-file.size);
    check(wrong === 0, "hub/checksum", `${file.path} arrived damaged twice`, {
      where: options.url,
      got,
      wanted: file.etag,
      hint: "a proxy may change the bytes: try another network or HF_ENDPOINT",
    });
  }
  await rename(partial, blob);
}

/** Fetches until the partial file is whole; resolves with its hash. */
async function fetchRest(file: RemoteFile, partial: string, options: BlobOptions): Promise<string> {
  let have = (await fileSize(partial)) ?? 0;
  if (have > file.size) {
    await rm(partial);
    have = 0;
  }
  let hash = startHash(file);
  if (have > 0) {
    for await (const chunk of createReadStream(partial)) hash.update(chunk as Buffer);
    options.onBytes?.(have);
  }
  let handle: FileHandle | undefined;
  try {
    handle = await open(partial, have > 0 ? "r+" : "w");
    let barren = 0;
    while (have < file.size) {
      const before = have;
      let cut: unknown;
      try {
        const { start, body } = await openBody(file, have, options);
        if (start !== have) {
          options.onBytes?.(start - have);
          have = start;
          hash = startHash(file);
        }
        for await (const chunk of body) {
          check(have + chunk.length <= file.size, "hub/size", "more bytes than were announced", {
            where: options.url,
            wanted: `${file.size} bytes`,
          });
          await handle.write(chunk, 0, chunk.length, have);
          hash.update(chunk);
          have += chunk.length;
          options.onBytes?.(chunk.length);
        }
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (isError(error) || code === "ENOSPC" || code === "EDQUOT") throw error;
        cut = error;
      }
      if (options.signal?.aborted) stopped(cut);
      if (have === file.size) break;
      barren = have > before ? 0 : barren + 1;
      if (barren === patience)
        unreachable(options.url, cut ?? new Error("the connection was closed early"));
      await pause(options.backoffMs * 2 ** barren, options.signal);
    }
    await handle.truncate(file.size);
    await handle.sync();
  } catch (error) {
    throw writeError(error, file.path, dirname(partial), file.size, {
      denied: "name another cache with HF_HUB_CACHE",
    });
  } finally {
    await handle?.close();
  }
  return hash.digest("hex");
}

/** The response from byte `have` on, or from 0 where the server does not know ranges. */
async function openBody(file: RemoteFile, have: number, options: BlobOptions) {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  options.signal?.addEventListener("abort", stop);
  try {
    const response = await request(
      options.url,
      {
        headers: {
          ...options.headers,
          "accept-encoding": "identity",
          ...(have > 0 ? { range: `bytes=${have}-` } : {}),
        },
        signal: abort.signal,
      },
      options,
      [200, 206],
    );
    const start = response.status === 206 ? checkRange(response, file, have, options.url) : 0;
    return { start, body: chunks(response, abort, options) };
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

async function* chunks(
  response: Response,
  abort: AbortController,
  { signal, stallMs }: BlobOptions,
): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const stop = (): void => abort.abort();
  signal?.addEventListener("abort", stop);
  let timer = setTimeout(stop, stallMs);
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      if (signal?.aborted) stopped();
      yield chunk;
      timer = setTimeout(stop, stallMs);
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** The part must be what was asked for, of a file as long as the hub says. */
function checkRange(response: Response, { size }: RemoteFile, have: number, url: string): number {
  const range = response.headers.get("content-range") ?? "";
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range);
  const ok =
    match !== null && Number(match[1]) === have && (match[2] === "*" || Number(match[2]) === size);
  check(ok, "hub/size", "the server offers another part than was asked for", {
    where: url,
    got: range,
    wanted: `bytes ${have}-${size - 1}/${size}`,
  });
  return have;
}

function startHash({ etag, size }: RemoteFile): Hash {
  return etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
