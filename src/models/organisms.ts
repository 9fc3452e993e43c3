// Which small models come with the package, and where they lie.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../base/errors.ts";
import { folderStore } from "../storage/folder.ts";
import { loadModel } from "./checkpoint.ts";
import type { Model } from "./config.ts";

/** The package's own folder: two up from `src/models` and from `dist/models` alike. */
export function organismsFolder(): string {
  return join(dirname(fileURLToPath(import.meta.url)), "..", "..", "organisms");
}

export async function listOrganisms(folder = organismsFolder()): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, "config.json")))
    .map((entry) => entry.name)
    .sort();
}

/** The folder of a bundled one by its name, or of any model that `saveModel` wrote by its path. */
export async function organismFolder(nameOrFolder: string): Promise<string> {
  const bundled = join(organismsFolder(), nameOrFolder);
  const folder = [bundled, nameOrFolder].find((path) => existsSync(join(path, "config.json")));
  if (folder === undefined)
    fail("model/missing", `there is no organism ${nameOrFolder}`, {
      got: nameOrFolder,
      wanted: (await listOrganisms()).join(", ") || "a folder with config.json",
    });
  return folder;
}

export async function loadOrganism(nameOrFolder: string): Promise<Model> {
  return loadModel(folderStore(await organismFolder(nameOrFolder)));
}
