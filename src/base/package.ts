// Which version of the package runs, and where its own files lie.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The same from src/workspace and from dist/workspace. */
export const packageRoot = fileURLToPath(new URL("../../", import.meta.url));

let version: string | undefined;

export function packageVersion(): string {
  version ??= JSON.parse(readFileSync(`${packageRoot}package.json`, "utf8")).version as string;
  return version;
}
