// Where does a model's name lead? To a bundled organism, a folder, a file, or a hub id in the cache.
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { check, fail } from "../base/errors.ts";
import { ggufModels } from "../storage/gguf-files.ts";
import { findSnapshot, pullLine, type Snapshot } from "../storage/hub/cached.ts";
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
 * `model/missing`, `hub/incomplete` (both with the line that fetches it), `model/weights`.
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
  if (cached !== undefined) {
    const { folder, commit } = cached;
    const file = ggufIn(cached);
    return { kind: "hub", name: repo, folder, commit, ...(file === undefined ? {} : { file }) };
  }
  return fail("model/missing", `there is no model ${reference} on this machine`, {
    got: reference,
    wanted: `a folder, a file, an organism (${organisms.join(", ")}), or a hub id in the cache`,
    where: isId ? (await hubSettings(options)).cacheDir : undefined,
    hint: isId ? `fetch it: ${pullLine(repo, revision)}` : undefined,
  });
}

/** The one GGUF model of a snapshot that has no other weights, in whatever folder of it. */
function ggufIn({ repo, folder, files }: Snapshot): string | undefined {
  const models = ggufModels(files);
  if (models.length === 0 || files.some((file) => /\.(safetensors|bin|pt|pth)$/.test(file)))
    return undefined;
  const paths = models.map((file) => join(folder, ...file.split("/")));
  check(models.length === 1, "model/weights", `several GGUF models of ${repo} are in the cache`, {
    where: folder,
    got: models.join(", "),
    wanted: "the path of one of them",
    hint: `e.g. ${paths[0]}`,
  });
  return paths[0];
}

/** `org/name@revision`: revision is `main` where none is named. */
export function splitReference(reference: string): { repo: string; revision: string } {
  const at = reference.indexOf("@");
  if (at < 0) return { repo: reference, revision: "main" };
  return { repo: reference.slice(0, at), revision: reference.slice(at + 1) };
}
