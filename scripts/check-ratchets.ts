// Fails when a file is too long, or when there are more compromises than were allowed before.
// npx tsx scripts/check-ratchets.ts [--write] takes the counts of today.
import { readFileSync, writeFileSync } from "node:fs";
import { measure, sourceFiles, tooLong } from "./ratchets.ts";

const table = "scripts/ratchets.json";
const files = sourceFiles();
const now = measure(files);
if (process.argv.includes("--write")) writeFileSync(table, `${JSON.stringify(now, null, 2)}\n`);

const allowed: Record<string, number> = JSON.parse(readFileSync(table, "utf8"));
const risen = Object.entries(now).filter(([name, count]) => count > (allowed[name] ?? 0));
const fallen = Object.entries(now).filter(([name, count]) => count < (allowed[name] ?? 0));
for (const [name, count] of fallen)
  console.log(`fewer ${name}: ${count}, not ${allowed[name]}; --write keeps it so`);
for (const [name, count] of risen)
  console.error(`more ${name}: ${count}, where ${allowed[name] ?? 0} are allowed`);
const over = tooLong(files);
for (const line of over) console.error(`too long: ${line} lines`);
if (risen.length + over.length > 0) process.exit(1);
console.log("ratchets: nothing has grown");
