// Where does a model's name lead? To a bundled organism, a folder, a file, or a hub id in the cache.
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fail } from "../base/errors.ts";
import { findSnapshot, pullLine } from "../storage/hub/cached.ts";
import { isRepoId } from "../storage/hub/layout.ts";
import { type HubOptions, hubSettings } from "../storage/hub/settings.ts";
import { listOrganisms, organismFolder } from "./organisms.ts";

export interface ResolvedModel {
  readonly kind: "organism" | "folder" | "file" | "hub";
  /** The organism's name, the folder's or file's last part, `org/name`. */
  readonly name: string;
  /** Of a file: the one that it lies in. */
  readonly folder: string;
  /** Weights that `openModel` takes instead of the folder: GGUF, llama2.c, or one file of several. */
  readonly file?: string;
  /** The commit on the hub that the files are from. */
  readonly commit?: string;
}

/**
 * `org/name@revision` for a hub id. Never asks the network: `pullModel` does. Errors:
 * `model/missing`, `hub/incomplete` (both with the line that fetches it).
 */
export async function resolveModel(
  reference: string,
  options: HubOptions = {},
): Promise<ResolvedModel> {
  const organisms = await listOrganisms();
  if (organisms.includes(reference))
    return { kind: "organism", name: reference, folder: await organismFolder(reference) };
  const found = await stat(reference).catch(() => undefined);
  if (found?.isDirectory()) {
    const folder = resolve(reference);
    return { kind: "folder", name: basename(folder), folder };
  }
  if (found?.isFile()) {
    const file = resolve(reference);
    return { kind: "file", name: basename(file), folder: dirname(file), file };
  }
  const { repo, revision } = splitReference(reference);
  const isId = isRepoId(repo);
  const cached = isId ? await findSnapshot(repo, { ...options, revision }) : undefined;
  if (cached !== undefined)
    return { kind: "hub", name: repo, folder: cached.folder, commit: cached.commit };
  return fail("model/missing", `there is no model ${reference} on this machine`, {
    got: reference,
    wanted: `a folder, a file, an organism (${organisms.join(", ")}), or a hub id in the cache`,
    where: isId ? (await hubSettings(options)).cacheDir : undefined,
    hint: isId ? `fetch it: ${pullLine(repo, revision)}` : undefined,
  });
}

/** `org/name@revision`: revision is `main` where none is named. */
export function splitReference(reference: string): { repo: string; revision: string } {
  const at = reference.indexOf("@");
  if (at < 0) return { repo: reference, revision: "main" };
  return { repo: reference.slice(0, at), revision: reference.slice(at + 1) };
}
