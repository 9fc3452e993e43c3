// Is what a first visit loads below its budget, gzipped? Fails above it, and says what it is made of.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

const budget = 250_000;
const folder = "dist/web";

if (!existsSync(join(folder, "index.html"))) {
  console.error(`${folder} is not built: npx vite build`);
  process.exit(1);
}

interface Part {
  name: string;
  bytes: number;
}

function sizeOf(file: string): number {
  const bytes = readFileSync(join(folder, file));
  // Fonts are compressed already and are sent as they are.
  return /\.woff2$/.test(file) ? bytes.length : gzipSync(bytes).length;
}

/** A file and every file that it imports at once; what it imports later does not count. */
function withStatic(file: string, seen: Set<string>): void {
  if (seen.has(file)) return;
  seen.add(file);
  if (!file.endsWith(".js")) return;
  const text = readFileSync(join(folder, file), "utf8");
  for (const [, to] of text.matchAll(
    /(?:^|[;}])\s*import\s*(?:[^"'()]*?from\s*)?["']\.\/([^"']+)["']/g,
  ))
    withStatic(`assets/${to}`, seen);
}

const html = readFileSync(join(folder, "index.html"), "utf8");
const first = new Set<string>(["index.html"]);
for (const [, path] of html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)) withStatic(path!, first);
const assets = readdirSync(join(folder, "assets"));
for (const file of assets) if (file.endsWith(".woff2")) first.add(`assets/${file}`);

/** The pages that a first visit may open: the largest is counted with the shell. */
const pages = assets.filter((f) => /^(run|list|feature|prompt)-.*\.js$/.test(f));
function partsOf(page: string): Part[] {
  const all = new Set(first);
  withStatic(`assets/${page}`, all);
  return [...all].map((name) => ({ name: basename(name), bytes: sizeOf(name) }));
}

const totals = pages
  .map((page) => ({ page, parts: partsOf(page) }))
  .map((entry) => ({ ...entry, bytes: entry.parts.reduce((sum, p) => sum + p.bytes, 0) }))
  .sort((a, b) => b.bytes - a.bytes);
const worst = totals[0];
if (worst === undefined) {
  console.error(`${folder}/assets holds no page`);
  process.exit(1);
}
for (const { name, bytes } of worst.parts.sort((a, b) => b.bytes - a.bytes))
  console.log(`${String((bytes / 1000).toFixed(1)).padStart(8)} kB  ${name}`);
for (const { page, bytes } of totals)
  console.log(
    `${String((bytes / 1000).toFixed(1)).padStart(8)} kB  first load of ${page.split("-")[0]}`,
  );
if (worst.bytes > budget) {
  console.error(`first load is ${worst.bytes} bytes, the budget is ${budget}`);
  process.exit(1);
}
console.log(`bundle: first load ${(worst.bytes / 1000).toFixed(1)} kB of ${budget / 1000} kB`);
