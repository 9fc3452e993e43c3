// Builds what is stale: the library with tsdown, the app with vite; quiet unless something is wrong.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamps = join(root, "dist", ".build.json");

const parts = {
  library: {
    from: ["src", "tsdown.config.ts", "package.json", "tsconfig.json"],
    gives: "dist/cli/main.js",
    command: ["node_modules/tsdown/dist/run.mjs", "--no-clean"],
  },
  app: {
    from: ["web", "src/api", "src/base", "vite.config.ts", "package.json"],
    gives: "dist/web/index.html",
    command: ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"],
  },
};

/** Path, size and time of every file: content is read by the build alone. */
function stampOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const full = join(root, path);
    if (!existsSync(full)) continue;
    const files = statSync(full).isDirectory()
      ? readdirSync(full, { recursive: true, encoding: "utf8" }).sort()
      : [""];
    for (const file of files) {
      if (/\.test\.tsx?$/.test(file)) continue;
      const { size, mtimeMs } = statSync(join(full, file));
      hash.update(`${path}/${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stamps, "utf8"));
  } catch {
    return {};
  }
}

/** Resolves with the tool's words when it fails, with undefined when it does not. */
function runTool([script, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, script), ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? undefined : `${said}\nexit code ${code}`));
  });
}

/** Files of sources that are gone must not be found by an import; the app's folder is vite's. */
function removeOld() {
  const dist = join(root, "dist");
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist))
    if (name !== "web" && name !== ".build.json")
      rmSync(join(dist, name), { recursive: true, force: true });
}

async function buildPart(name) {
  const { from, gives, command } = parts[name];
  const stamp = stampOf(from);
  if (readStamps()[name] === stamp && existsSync(join(root, gives))) return false;
  if (!existsSync(join(root, command[0])))
    throw new Error("the tools are not installed: run npm ci first");
  if (name === "library") removeOld();
  const problem = await runTool(command);
  if (problem !== undefined) throw new Error(`the ${name} does not build\n${problem}`);
  writeFileSync(stamps, JSON.stringify({ ...readStamps(), [name]: stamp }));
  return true;
}

/** Resolves with the names of what was built. */
export async function build({ say = () => {} } = {}) {
  const names = Object.keys(parts).filter(
    (name) => name !== "app" || existsSync(join(root, "web", "main.tsx")),
  );
  const began = performance.now();
  const built = await Promise.all(names.map(buildPart));
  const fresh = names.filter((_, i) => built[i]);
  if (fresh.length > 0)
    say(
      `built the ${fresh.join(" and the ")} in ${((performance.now() - began) / 1000).toFixed(1)} s`,
    );
  return fresh;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await build({ say: console.error }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
