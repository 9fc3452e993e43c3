// Which files do these paths, folders and patterns name?
import { readdir, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { check, fail } from "../../base/errors.ts";

export interface FoundFile {
  path: string;
  /** With `/`, below the folder that was named: the same on every machine. */
  name: string;
}

export interface FindOptions {
  /** Folders of these names are not entered. */
  skip?: readonly string[];
}

/**
 * Files, folders (with all below them; not what begins with a dot) and globs (`*`, `**`, `?`,
 * `{a,b}`), sorted by name, each file once. Refuses with `text/missing` what is not there.
 */
export async function findFiles(
  inputs: readonly string[],
  { skip = ["node_modules"] }: FindOptions = {},
): Promise<FoundFile[]> {
  const found = new Map<string, string>();
  for (const input of inputs) {
    const info = await stat(input).catch(() => undefined);
    if (info?.isFile()) found.set(resolve(input), input.split(/[\\/]/).at(-1)!);
    else if (info?.isDirectory())
      for (const path of await below(input, skip)) found.set(resolve(path), nameIn(input, path));
    else {
      check(/[*?{]/.test(input), "text/missing", "there is no such file or folder", { got: input });
      const root = globRoot(input);
      const pattern = globPattern(resolve(input).split(sep).join("/"));
      const all = await below(root, skip).catch(() => []);
      const matches = all.filter((path) => pattern.test(resolve(path).split(sep).join("/")));
      if (matches.length === 0)
        fail("text/missing", "no file matches this pattern", { got: input });
      for (const path of matches) found.set(resolve(path), nameIn(root, path));
    }
  }
  return [...found]
    .map(([path, name]) => ({ path, name }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.path < b.path ? -1 : 1));
}

function nameIn(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}

async function below(folder: string, skip: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const paths: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isFile()) paths.push(path);
    // Links are not followed: they can lead in circles.
    else if (entry.isDirectory() && !skip.includes(entry.name))
      for (const deeper of await below(path, skip)) paths.push(deeper);
  }
  return paths;
}

/** The folder before the first part with a wildcard. */
function globRoot(glob: string): string {
  const parts = glob.split("/");
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => /[*?{]/.test(part)),
  );
  return fixed.length === 0 ? "." : fixed.join("/") || "/";
}

export function globPattern(glob: string): RegExp {
  let source = "";
  let depth = 0;
  for (let i = 0; i < glob.length; i++) {
    const rest = glob.slice(i);
    if (rest.startsWith("**/")) {
      source += "(?:[^/]+/)*";
      i += 2;
    } else if (rest.startsWith("**")) {
      source += ".*";
      i += 1;
    } else if (glob[i] === "*") source += "[^/]*";
    else if (glob[i] === "?") source += "[^/]";
    else if (glob[i] === "{" && rest.includes("}")) {
      depth += 1;
      source += "(?:";
    } else if (glob[i] === "}" && depth > 0) {
      depth -= 1;
      source += ")";
    } else if (glob[i] === "," && depth > 0) source += "|";
    else source += glob[i]!.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  return new RegExp(`^${source}${")".repeat(depth)}$`);
}
