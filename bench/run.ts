// npm run bench [-- NAME...] [-- --json]: runs one bench after another, each in a process of its own.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import type { BenchLine } from "./lib/line.ts";

const all = readdirSync("bench")
  .filter((file) => file.endsWith(".ts") && file !== "run.ts")
  .map((file) => basename(file, ".ts"));
const args = process.argv.slice(2);
const json = args.includes("--json");
const asked = args.filter((arg) => !arg.startsWith("-"));
const unknown = asked.find((name) => !all.includes(name));
if (unknown !== undefined) {
  console.error(`there is no bench ${unknown}; there are ${all.join(", ")}`);
  process.exit(2);
}

/** Its lines; a bench that breaks is a line too. */
async function runBench(name: string): Promise<BenchLine[]> {
  const child = spawn(process.execPath, ["--import", "tsx", `bench/${name}.ts`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  for await (const chunk of child.stdout) out += chunk;
  const code = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  const lines = out.split("\n").filter((line) => line.startsWith("{"));
  const found: BenchLine[] = lines.map((line) => JSON.parse(line));
  if (code === 0) return found;
  const broken = { claim: name, ours: Number.NaN, peer: null, ratio: null, bar: 0 };
  return [...found, { ...broken, ok: false, setting: `ended with exit code ${code}` }];
}

const mark = (ok: boolean | null): string => (ok === null ? "?" : ok ? "✓" : "✗");

function show({ claim, ours, peer, ratio, bar, ok, setting }: BenchLine): string {
  const figures = [
    `ours ${ours}`,
    ...(peer === null ? [] : [`peer ${peer}`]),
    ...(ratio === null ? [] : [`ratio ${ratio}`]),
    `bar ${bar}`,
  ];
  return `${mark(ok)} ${claim}\n    ${figures.join("   ")}\n    ${setting}`;
}

let missed = 0;
for (const name of asked.length > 0 ? asked : all) {
  if (!json) console.log(`\n${name}`);
  for (const line of await runBench(name)) {
    if (line.ok === false) missed += 1;
    console.log(json ? JSON.stringify(line) : show(line));
  }
}
process.exitCode = missed === 0 ? 0 : 1;
