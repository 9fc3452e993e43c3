// Which platforms' binaries does package-lock.json lack? Adds them, so that `npm ci` accepts it everywhere.
// npx tsx scripts/lock-platforms.ts after a dependency has changed: npm leaves out what the registry
// at hand does not have for other platforms, and then refuses its own lock file.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

type Packages = Record<string, Entry>;

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** `@scope/binding-linux-arm64-musl` → linux, arm64, musl: without these every platform would fetch it. */
function platformOf(name: string): Pick<Entry, "os" | "cpu" | "libc"> {
  const parts = name.slice(name.indexOf("/") + 1).split("-");
  const os = systems.find((system) => parts.includes(system));
  const cpu = parts.includes("armv7") ? "arm" : processors.find((one) => parts.includes(one));
  if (cpu === undefined || (os === undefined && cpu !== "wasm32"))
    throw new Error(`${name} does not say its platform`);
  const libc = parts.some((part) => part.startsWith("musl")) ? "musl" : undefined;
  return { cpu: [cpu], ...(os && { os: [os] }), ...(libc && { libc: [libc] }) };
}

/** Path in the lock → the entry that is missing there. */
export function missingPlatforms(packages: Packages): Packages {
  const missing: Packages = {};
  for (const { dev, optionalDependencies = {} } of Object.values(packages))
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`))) continue;
      const found = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
      missing[`node_modules/${name}`] = found;
    }
  return missing;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const missing = missingPlatforms(lock.packages);
  const { "": root, ...rest } = { ...lock.packages, ...missing };
  const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = { "": root, ...Object.fromEntries(sorted) };
  writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} added`);
}
