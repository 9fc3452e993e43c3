// Is this model in the cache already, whole? Answers without any network.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";
import {
  fileSize,
  pointerPath,
  type RepoFolder,
  readRef,
  repoFolder,
  snapshotFolder,
} from "./layout.ts";
import { includedFiles, neededFiles, shardsOf } from "./selection.ts";
import { type HubOptions, hubSettings } from "./settings.ts";

export interface Snapshot {
  readonly repo: string;
  readonly revision: string;
  /** The sha of the commit that the files are from. */
  readonly commit: string;
  /** `…/models--org--name/snapshots/<commit>`: links to blobs, under the files' own names. */
  readonly folder: string;
  /** Names relative to the folder, sorted. */
  readonly files: readonly string[];
}

export interface CacheOptions extends HubOptions {
  /** Branch, tag or commit. */
  revision?: string;
  /** Globs of the files that must be there; default: what the model needs. */
  include?: readonly string[];
  /** Any file will do. */
  all?: boolean;
}

/** Undefined when nothing of it is cached. Refuses with `hub/incomplete` when files are missing. */
export async function findSnapshot(
  repo: string,
  options: CacheOptions = {},
): Promise<Snapshot | undefined> {
  const { revision = "main", include, all = false } = options;
  const { cacheDir } = await hubSettings(options);
  const place = repoFolder(cacheDir, repo);
  const commit = await readRef(place, revision);
  if (commit === undefined) return undefined;
  const folder = snapshotFolder(place, commit);
  const files = await listSnapshot(folder);
  if (files.length === 0) return undefined;
  if (include !== undefined) includedFiles(files, include, `${repo} in ${cacheDir}`);
  else if (!all) await checkWhole(place, { repo, revision, commit, files });
  return { repo, revision, commit, folder, files };
}

/** Names of the files whose blobs are there. */
export async function listSnapshot(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const files: string[] = [];
  for (const name of entries)
    if ((await fileSize(join(folder, name))) !== undefined) files.push(name.replaceAll("\\", "/"));
  return files.sort();
}

async function checkWhole(
  place: RepoFolder,
  {
    repo,
    revision,
    commit,
    files,
  }: { repo: string; revision: string; commit: string; files: readonly string[] },
): Promise<void> {
  const { index } = neededFiles(files);
  const shards =
    index === undefined
      ? []
      : shardsOf(await readFile(pointerPath(place, commit, index), "utf8"), `${repo}/${index}`);
  // Files that carry their own configuration were chosen by whoever pulled them.
  if (index === undefined && files.some((name) => /\.(gguf|onnx|pt|pth|npz)$/.test(name))) return;
  const some = index !== undefined || files.some((name) => /\.(safetensors|bin)$/.test(name));
  const wanted = ["config.json", ...shards, ...(some ? [] : ["model.safetensors"])];
  const missing = wanted.filter((name) => !files.includes(name));
  if (missing.length > 0)
    fail("hub/incomplete", `${repo} is in the cache, but not all of it`, {
      where: snapshotFolder(place, commit),
      got: `missing: ${missing.join(", ")}`,
      hint: pullLine(repo, revision),
    });
}

export function pullLine(repo: string, revision = "main"): string {
  return `micrographia pull ${repo}${revision === "main" ? "" : `@${revision}`}`;
}
