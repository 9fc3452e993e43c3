// Fails when a file imports a folder that is not on a lower floor, or when web/ looks below the contract.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { floors } from "./floors.ts";

const floor = new Map(floors.flatMap((row, i) => row.map((name): [string, number] => [name, i])));
const importPattern = /(?:from\s+|import\s*\(\s*|import\s+)"(\.[^"]+)"/g;
const bad: string[] = [];

function importsOf(path: string): string[] {
  return [...readFileSync(path, "utf8").matchAll(importPattern)].map(([, to]) =>
    normalize(join(dirname(path), to!))
      .split(sep)
      .join("/"),
  );
}

for (const path of readdirSync("src", { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".ts") || path.endsWith(".test.ts") || path === "index.ts") continue;
  const from = path.split(sep)[0]!;
  if (!floor.has(from)) bad.push(`src/${path}: the folder ${from} has no floor`);
  for (const target of importsOf(join("src", path))) {
    const to = target.split("/")[1]!;
    if (target.startsWith("src/") && to !== from && !(floor.get(to)! < floor.get(from)!))
      bad.push(`src/${path} imports ${target}: not on a lower floor`);
  }
}

const webMay = new Set(["api", "base"]);
for (const path of readdirSync("web", { recursive: true, encoding: "utf8" })) {
  if (!/\.tsx?$/.test(path) || /\.test\.tsx?$/.test(path)) continue;
  for (const target of importsOf(join("web", path)))
    if (target.startsWith("src/") && !webMay.has(target.split("/")[1]!))
      bad.push(`web/${path} imports ${target}: the app sees api and base only`);
}

if (bad.length > 0) {
  console.error(bad.join("\n"));
  process.exit(1);
}
console.log("floors: every import looks down");
