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

/** By the name of a bundled one, or by the path of any folder that `saveModel` wrote. */
export async function loadOrganism(nameOrFolder: string): Promise<Model> {
  const bundled = join(organismsFolder(), nameOrFolder);
  const folder = [bundled, nameOrFolder].find((path) => existsSync(join(path, "config.json")));
  if (folder === undefined)
    fail("model/missing", `there is no organism ${nameOrFolder}`, {
      got: nameOrFolder,
      wanted: (await listOrganisms()).join(", ") || "a folder with config.json",
    });
  return loadModel(folderStore(folder));
}
