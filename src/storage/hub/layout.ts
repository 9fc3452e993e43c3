// How does the Hugging Face cache lie on disk? blobs by content, refs by name, snapshots of links.
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { check } from "../../base/errors.ts";

/** Folders of one repository: `models--org--name/{blobs,refs,snapshots}` and its locks beside it. */
export interface RepoFolder {
  readonly folder: string;
  readonly locks: string;
}

export function repoFolder(cacheDir: string, repo: string): RepoFolder {
  const name = ["models", ...checkRepo(repo).split("/")].join("--");
  return { folder: join(cacheDir, name), locks: join(cacheDir, ".locks", name) };
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** `name` or `org/name`, by the rules of the hub. Refuses with `hub/repo`. */
export function checkRepo(repo: string): string {
  check(isRepoId(repo), "hub/repo", "this is no repository of the hub", {
    got: repo,
    wanted: "name or organisation/name",
  });
  return repo;
}

export function isRepoId(text: string): boolean {
  const part = "[A-Za-z0-9_](?:[\\w.-]*[A-Za-z0-9_])?";
  return (
    new RegExp(`^${part}(?:/${part})?$`).test(text) &&
    text.length <= 96 &&
    !/--|\.\.|\.git$/.test(text)
  );
}

/** A branch, a tag, `refs/pr/1` or a commit: it becomes a file name. */
export function checkRevision(revision: string): string {
  const ok = revision !== "" && revision.split("/").every(isPlainName);
  check(ok, "hub/revision", "this is no revision", { got: revision, wanted: "a branch, tag, sha" });
  return revision;
}

/** What a hub lists is not trusted: no file may leave the snapshot. */
export function checkPath(path: string, where: string): string {
  const ok = path !== "" && path.length < 1024 && path.split("/").every(isPlainName);
  check(ok, "hub/path", "the hub lists a file that would leave its folder", { where, got: path });
  return path;
}

function isPlainName(part: string): boolean {
  const control = [...part].some((letter) => letter < " ");
  return part !== "" && part !== "." && part !== ".." && !control && !/[\\:]/.test(part);
}

export async function readRef(repo: RepoFolder, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(repo.folder, "refs", ...revision.split("/")), "utf8").catch(
    () => "",
  );
  return isCommit(text.trim()) ? text.trim() : undefined;
}

/** Readers see the old commit or the new one. */
export async function writeRef(repo: RepoFolder, revision: string, commit: string): Promise<void> {
  if (isCommit(revision) || (await readRef(repo, revision)) === commit) return;
  const path = join(repo.folder, "refs", ...revision.split("/"));
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  await writeFile(temporary, commit);
  await rename(temporary, path);
}

export function snapshotFolder(repo: RepoFolder, commit: string): string {
  return join(repo.folder, "snapshots", commit);
}

export function pointerPath(repo: RepoFolder, commit: string, path: string): string {
  return join(snapshotFolder(repo, commit), ...path.split("/"));
}

export function blobPath(repo: RepoFolder, etag: string): string {
  return join(repo.folder, "blobs", etag);
}

/** Follows links: a link to a blob that is gone does not exist. */
export async function fileSize(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/**
 * A relative link from the snapshot to the blob. Where links are not allowed (Windows without
 * developer mode) a new blob is moved and an old one is copied, as in Python.
 */
export async function linkBlob(
  blob: string,
  pointer: string,
  { fresh }: { fresh: boolean },
): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  try {
    await symlink(relative(dirname(pointer), blob), pointer);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") {
      if ((await fileSize(pointer)) !== undefined) return;
      // A link to a blob that was removed: a new one takes its place in one step.
      const temporary = `${pointer}.${randomUUID().slice(0, 8)}.tmp`;
      await symlink(relative(dirname(pointer), blob), temporary);
      await rename(temporary, pointer);
    } else if (code === "EPERM" || code === "ENOSYS" || code === "UNKNOWN") {
      if (fresh) await rename(blob, pointer);
      else await copyFile(blob, pointer);
    } else throw error;
  }
}
