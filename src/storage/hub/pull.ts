// A model from a hub into the cache that Python shares: only the files needed, each checked.
import { mkdir, readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import { check, fail, isError } from "../../base/errors.ts";
import type { Context } from "../../base/progress.ts";
import { writeError } from "../write-error.ts";
import { type CacheOptions, findSnapshot, pullLine, type Snapshot } from "./cached.ts";
import { downloadBlob, type RemoteFile } from "./download.ts";
import {
  blobPath,
  checkPath,
  checkRepo,
  checkRevision,
  fileSize,
  isCommit,
  linkBlob,
  pointerPath,
  readRef,
  repoFolder,
  snapshotFolder,
  writeRef,
} from "./layout.ts";
import { withLock } from "./lock.ts";
import { type Fetch, isUnreachable, type RequestOptions, request, stopped } from "./requests.ts";
import { includedFiles, neededFiles, shardsOf, weightFiles } from "./selection.ts";
import { hubSettings } from "./settings.ts";

export interface PullOptions extends CacheOptions, Context {
  /** Files at a time. */
  concurrency?: number;
  fetch?: Fetch;
  /** Before a failed request is repeated; doubles each time. */
  backoffMs?: number;
  /** A connection that brings nothing for so long is given up and made anew. */
  stallMs?: number;
}

export interface Pulled extends Snapshot {
  /** What came over the network this time, and what the chosen files hold together. */
  readonly fetchedBytes: number;
  readonly bytes: number;
  /** True when the hub was not asked: offline, or out of reach while the cache had everything. */
  readonly offline: boolean;
}

/**
 * Files that Xet holds come over the hub's bridge: plain HTTPS with ranges, which is what it answers
 * with when its own protocol is not asked for. So they are continued and checked like all others.
 *
 * Default files: configuration, tokenizer, chat template, and the weights as safetensors (single or
 * the shards that the index names); pickles only where there are none, and GGUF only where there are
 * no pickles. Progress counts bytes.
 *
 * Errors: `hub/not-found`, `hub/gated`, `hub/revision`, `hub/unreachable`, `hub/offline`,
 * `hub/incomplete`, `hub/no-weights`, `hub/several-weights`, `hub/no-match`, `hub/checksum`, `storage/full`,
 * `run/interrupted`.
 */
export async function pullModel(repo: string, options: PullOptions = {}): Promise<Pulled> {
  const { revision = "main", signal } = options;
  checkRepo(repo);
  checkRevision(revision);
  const settings = await hubSettings(options);
  if (settings.offline) return fromCache(repo, options);
  try {
    return await fromHub(repo, options, settings);
  } catch (error) {
    if (signal?.aborted && !isError(error)) stopped(error);
    if (!isUnreachable(error)) throw error;
    const cached = await findSnapshot(repo, options).catch(() => undefined);
    if (cached === undefined) throw error;
    return withSizes(cached);
  }
}

async function fromCache(repo: string, options: PullOptions): Promise<Pulled> {
  const cached = await findSnapshot(repo, options);
  check(cached !== undefined, "hub/offline", `${repo} is not in the cache, and this is offline`, {
    where: (await hubSettings(options)).cacheDir,
    wanted: `revision ${options.revision ?? "main"}`,
    hint: `with the network: ${pullLine(repo, options.revision)} (and unset HF_HUB_OFFLINE)`,
  });
  return withSizes(cached);
}

async function withSizes(cached: Snapshot): Promise<Pulled> {
  let bytes = 0;
  for (const file of cached.files) bytes += (await fileSize(join(cached.folder, file))) ?? 0;
  return { ...cached, bytes, fetchedBytes: 0, offline: true };
}

async function fromHub(
  repo: string,
  options: PullOptions,
  settings: { cacheDir: string; endpoint: string; token: string | undefined },
): Promise<Pulled> {
  const { revision = "main", include, all = false, signal, onProgress, concurrency = 4 } = options;
  const { endpoint, token, cacheDir } = settings;
  const requests: RequestOptions = {
    repo,
    revision,
    fetch: options.fetch ?? fetch,
    signal,
    backoffMs: options.backoffMs ?? 1000,
    hasToken: token !== undefined,
  };
  const place = repoFolder(cacheDir, repo);
  const { commit, remote } = await listRemote(repo, revision, { endpoint, token, requests });
  const paths = [...remote.keys()].sort();

  // An older commit that is whole stays the one that the name means until this one is whole too.
  const older = await readRef(place, revision);
  if (older === undefined) await writeRef(place, revision, commit);

  let total = 0;
  let done = 0;
  let fetchedBytes = 0;
  const report = (): void =>
    onProgress?.({ stage: "pull", done: Math.max(0, done), total, unit: "bytes" });
  const fetchFile = async (path: string): Promise<void> => {
    if (signal?.aborted) stopped();
    const file = remote.get(path)!;
    const pointer = pointerPath(place, commit, path);
    const blob = blobPath(place, file.etag);
    let fresh = false;
    if ((await fileSize(pointer)) === undefined) {
      const lock = join(place.locks, `${file.etag}.micrographia.lock`);
      await withLock(
        lock,
        async () => {
          if ((await fileSize(blob)) === undefined) {
            fresh = true;
            await downloadBlob(file, blob, {
              ...requests,
              url: `${endpoint}/${repo}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`,
              headers: authorization(token),
              stallMs: options.stallMs ?? 30_000,
              onBytes: (bytes) => {
                done += bytes;
                report();
              },
            });
            fetchedBytes += file.size;
          }
          await linkBlob(blob, pointer, { fresh });
        },
        { signal },
      );
    }
    if (!fresh) done += file.size;
    report();
  };
  const fetchAll = async (files: readonly string[]): Promise<void> => {
    total += files.reduce((sum, path) => sum + remote.get(path)!.size, 0);
    await checkSpace(cacheDir, await bytesMissing(files));
    await inParallel(files, concurrency, fetchFile);
  };
  const bytesMissing = async (files: readonly string[]): Promise<number> => {
    let bytes = 0;
    for (const path of files) {
      const file = remote.get(path)!;
      const blob = blobPath(place, file.etag);
      const there = await fileSize(pointerPath(place, commit, path));
      if (there === undefined && (await fileSize(blob)) === undefined)
        bytes += file.size - ((await fileSize(`${blob}.incomplete`)) ?? 0);
    }
    return bytes;
  };

  let files: string[];
  if (all || include !== undefined) {
    files = all ? paths : includedFiles(paths, include!, repo);
    await fetchAll(files);
  } else {
    const first = neededFiles(paths);
    const chosenWeights = (): string[] => {
      const chosen = weightFiles(paths, repo, (path) => remote.get(path)?.size ?? 0);
      checkThere(chosen, remote, repo);
      return chosen;
    };
    const weights = first.index === undefined ? chosenWeights() : [];
    await fetchAll([...first.files, ...weights]);
    if (first.index !== undefined)
      weights.push(...(await readShards(pointerPath(place, commit, first.index), repo, remote)));
    if (first.index !== undefined) await fetchAll(weights);
    files = [...first.files, ...weights].sort();
  }
  await writeRef(place, revision, commit);
  const folder = snapshotFolder(place, commit);
  return { repo, revision, commit, folder, files, bytes: total, fetchedBytes, offline: false };
}

/** The commit first, then its files: a branch that moves meanwhile changes nothing. */
async function listRemote(
  repo: string,
  revision: string,
  {
    endpoint,
    token,
    requests,
  }: { endpoint: string; token: string | undefined; requests: RequestOptions },
): Promise<{ commit: string; remote: Map<string, RemoteFile> }> {
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const hub = {
    hubUrl: endpoint,
    // Its own errors do not tell a gated model from a missing one, and it would send the token to
    // whatever address the list goes on at.
    fetch: ((url: string, init: RequestInit = {}) =>
      request(
        String(url),
        new URL(url).origin === new URL(endpoint).origin
          ? { ...init, headers: { ...(init.headers as object), ...authorization(token) } }
          : init,
        requests,
      )) as Fetch,
  };
  const { sha } = await modelInfo({ ...hub, name: repo, revision, additionalFields: ["sha"] });
  check(typeof sha === "string" && isCommit(sha), "hub/answer", "the hub names no commit", {
    where: endpoint,
    got: sha,
  });
  const remote = new Map<string, RemoteFile>();
  for await (const entry of listFiles({ ...hub, repo, revision: sha, recursive: true })) {
    if (entry.type !== "file") continue;
    const etag = entry.lfs?.oid ?? entry.oid ?? "";
    const size = entry.lfs?.size ?? entry.size;
    // Of a file that Xet holds, `oid` is that of a pointer: its own SHA-256 stands with LFS.
    const known = entry.xetHash === undefined || entry.lfs !== undefined;
    const ok = known && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) && Number.isSafeInteger(size);
    check(ok, "hub/answer", "the hub lists a file without a hash", {
      where: `${endpoint}/${repo}`,
      got: `${entry.path}: ${etag}`,
    });
    remote.set(checkPath(entry.path, `${endpoint}/${repo}`), { path: entry.path, size, etag });
  }
  return { commit: sha, remote };
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

async function readShards(
  path: string,
  repo: string,
  remote: ReadonlyMap<string, RemoteFile>,
): Promise<string[]> {
  const shards = shardsOf(await readFile(path, "utf8"), repo);
  checkThere(shards, remote, repo);
  return shards;
}

function checkThere(
  files: readonly string[],
  remote: ReadonlyMap<string, RemoteFile>,
  repo: string,
): void {
  const missing = files.filter((file) => !remote.has(file));
  check(missing.length === 0, "hub/missing-file", "the model has parts that are not there", {
    where: repo,
    got: missing.join(", "),
  });
}

async function checkSpace(cacheDir: string, wanted: number): Promise<void> {
  if (wanted === 0) return;
  await mkdir(cacheDir, { recursive: true }).catch((cause) => {
    throw writeError(cause, "the cache", cacheDir, wanted, { denied });
  });
  const found = await statfs(cacheDir);
  const free = found.bavail * found.bsize;
  if (wanted > free)
    fail("storage/full", "the disk has no room for this model", {
      where: cacheDir,
      got: `${megabytes(free)} free`,
      wanted: megabytes(wanted),
      hint: `free some space, or ${denied}`,
    });
}

const denied = "name another cache with HF_HUB_CACHE";

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

/** The first failure stops what has not begun; what runs is awaited, so that nothing is left open. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed: { error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && failed === undefined)
      try {
        await work(items[next++]!);
      } catch (error) {
        failed ??= { error };
      }
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, lane));
  if (failed !== undefined) throw failed.error;
}
