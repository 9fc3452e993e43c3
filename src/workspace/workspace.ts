// What lies in a project folder: its dictionaries, bundles and runs.
import { access, constants, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { check, fail, isError } from "../base/errors.ts";
import { folderStore } from "../storage/folder.ts";
import { putJson, type Store } from "../storage/store.ts";
import { readJson } from "./json.ts";
import { isId, layout } from "./layout.ts";
import { acquireLock, type Holder, holderOf, type Lock } from "./lock.ts";

export interface Workspace {
  readonly folder: string;
  readonly store: Store;
  /** Ids, sorted. */
  dictionaries(): Promise<string[]>;
  /** Dictionaries that have a current bundle. */
  bundles(): Promise<string[]>;
  /** Ids with their kinds, newest last. */
  runs(): Promise<{ id: string; kind: string }[]>;
  /** One of them, or undefined. */
  run(id: string): Promise<{ id: string; kind: string } | undefined>;
  /** The revision whose pages can be read; null when there is none. */
  revision(dictionary: string): Promise<number | null>;
  /** Switches readers to a revision; call it when its files are whole. */
  setRevision(dictionary: string, revision: number): Promise<void>;
  /** Becomes the folder's only writer, or refuses with `workspace/locked`. */
  lock(options?: { waitMs?: number }): Promise<Lock>;
  holder(): Promise<Holder | undefined>;
  /** True while a process works on this run. */
  isRunning(run: string): Promise<boolean>;
}

const CurrentSchema = z.object({ revision: z.number().int().nonnegative() });
const RequestSchema = z.object({ kind: z.string() });

/** Opens, and makes, a project folder. Refuses with `workspace/folder` what cannot be one. */
export async function openWorkspace(folder: string): Promise<Workspace> {
  const path = resolve(folder);
  await mkdir(path, { recursive: true }).catch((cause) =>
    fail("workspace/folder", "this folder cannot be made", { where: path, cause }),
  );
  await access(path, constants.R_OK | constants.X_OK).catch((cause) =>
    fail("workspace/folder", "this folder cannot be read", { where: path, cause }),
  );
  const store = folderStore(path);
  const lockPath = join(path, layout.lock);

  const revision = async (dictionary: string): Promise<number | null> => {
    const key = layout.current(dictionary);
    if ((await store.size(key)) === undefined) return null;
    return (await readJson(store, key, CurrentSchema, "artifact/manifest")).revision;
  };

  return {
    folder: path,
    store,
    async dictionaries() {
      const ids = await foldersIn(join(path, "dictionaries"));
      return filterAsync(
        ids,
        async (id) => (await store.size(`${layout.dictionary(id)}/cfg.json`)) !== undefined,
      );
    },
    async bundles() {
      const ids = await foldersIn(join(path, "bundles"));
      return filterAsync(ids, async (id) => (await store.size(layout.current(id))) !== undefined);
    },
    async runs() {
      const ids = await foldersIn(join(path, "runs"));
      const found = await Promise.all(ids.map((id) => runIn(store, id)));
      return found
        .filter((run) => run !== undefined)
        .sort((a, b) => a.made - b.made)
        .map(({ id, kind }) => ({ id, kind }));
    },
    async run(id) {
      const found = isId(id) ? await runIn(store, id) : undefined;
      return found && { id, kind: found.kind };
    },
    revision,
    async setRevision(dictionary, next) {
      check(Number.isSafeInteger(next) && next >= 0, "workspace/revision", "not a revision", {
        got: next,
      });
      await putJson(store, layout.current(dictionary), { revision: next });
    },
    lock: (options) => acquireLock(lockPath, options),
    holder: () => holderOf(lockPath),
    isRunning: async (run) => (await holderOf(join(path, layout.runLock(run)))) !== undefined,
  };
}

/** What a run was asked to do: `runs/<id>/request.json`, written before anything else. */
export async function writeRequest(
  store: Store,
  { id, kind, input, now }: { id: string; kind: string; input: unknown; now: number },
): Promise<void> {
  await putJson(store, `${layout.run(id)}/request.json`, { kind, input, made: now });
}

async function runIn(store: Store, id: string) {
  const key = `${layout.run(id)}/request.json`;
  try {
    const schema = RequestSchema.extend({ made: z.number() });
    return { id, ...(await readJson(store, key, schema, "artifact/manifest")) };
  } catch (error) {
    // A run that was never asked for, or whose request is damaged, cannot be shown.
    if (isError(error)) return undefined;
    throw error;
  }
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && isId(entry.name))
    .map((entry) => entry.name)
    .sort();
}

async function filterAsync<T>(items: T[], test: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(test));
  return items.filter((_, i) => kept[i]);
}
