// Do the documents tell the truth: links, commands, and the code of the first page?
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test, vi } from "vitest";
import { sourceFiles } from "../scripts/ratchets.ts";
import { main } from "../src/cli/program.ts";
import { parseInterventions } from "../src/hooks/index.ts";
import { listOrganisms } from "../src/index.ts";
import { families } from "../src/models/families/index.ts";
import { ggufLayouts } from "../src/models/sources/gguf-architectures.ts";
import { blocksOf, guidePages, ranWrong, typeErrors } from "./guide.ts";

const readme = readFileSync("README.md", "utf8");
const guide = guidePages();

test("every relative link leads somewhere", () => {
  const dangling = sourceFiles()
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)/g)]
        .map(([, to]) => ({ path, to: to! }))
        .filter(({ to }) => !existsSync(resolve(dirname(path), decodeURI(to)))),
    );
  expect(dangling).toEqual([]);
});

async function help(...args: string[]): Promise<string> {
  let said = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
  try {
    await main([...args, "--help"]);
  } finally {
    write.mockRestore();
  }
  return said;
}

test("every command and every option stands on the first page", async () => {
  const commands = [...(await help()).matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name!);
  expect(commands.length).toBeGreaterThanOrEqual(8);
  const shared = readme.slice(readme.indexOf("Every command knows"));
  for (const command of commands.filter((name) => name !== "help")) {
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${command}\``));
    expect(row, command).toBeDefined();
    for (const [option] of (await help(command)).matchAll(/(?<=^ {2})--[\w-]+/gm))
      expect(`${row}${shared}`, `${command} ${option}`).toContain(`\`${option}\``);
  }
});

test("the code of the first page runs", { timeout: 120_000 }, async ({ skip }) => {
  if (!(await listOrganisms()).includes("field-1l")) skip("field-1l is not bundled");
  const code = readme.match(/```ts\n([\s\S]*?)```/)![1]!;
  const door = JSON.stringify(pathToFileURL(resolve("src/index.ts")).href);
  const folder = mkdtempSync(join(tmpdir(), "readme-"));
  const file = join(folder, "code.ts");
  writeFileSync(file, code.replaceAll('"micrographia"', door));
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  try {
    await import(pathToFileURL(file).href);
    const [encoded] = log.mock.lastCall!;
    expect(encoded.k).toBe(16);
    expect(encoded.n_tokens).toBeGreaterThan(5);
  } finally {
    log.mockRestore();
    rmSync(folder, { recursive: true });
  }
});

test("a page of the guide is short, and the index leads to it", () => {
  const index = guide.find(({ name }) => name === "README.md")!.text;
  for (const { name, text } of guide) {
    expect(text.split("\n").length - 1, name).toBeLessThanOrEqual(120);
    if (name !== "README.md") expect(index).toContain(`(${name})`);
  }
});

test("every family and every architecture of GGUF stands on the guide's first page", () => {
  const { text } = guide.find(({ name }) => name === "open-a-model.md")!;
  const told = /^Families[\s\S]*?\n\n/m.exec(text)![0];
  const [folders, files] = told.split("In GGUF:").map((part) => part.match(/\w+/g)!);
  const types = families.map(({ types: [first] }) => first!.replace(/_(text|vision)_model$/, ""));
  expect(types.filter((type) => !folders!.includes(type))).toEqual([]);
  expect(Object.keys(ggufLayouts).filter((name) => !files!.includes(name))).toEqual([]);
});

test("the code of the guide is well typed", { timeout: 120_000 }, () => {
  expect(typeErrors(guide)).toEqual([]);
});

test("the code of the guide runs, and prints what it says", {
  timeout: 120_000,
}, async ({ skip }) => {
  if (!(await listOrganisms()).includes("field-1l")) skip("field-1l is not bundled");
  const folder = mkdtempSync(join(tmpdir(), "guide-"));
  try {
    const wrong: string[] = [];
    for (const page of guide) wrong.push(...(await ranWrong(page, folder)));
    expect(wrong).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the guide's records are interventions, and its commands have their options", async () => {
  const records = guide.flatMap(({ text }) => blocksOf(text, "json"));
  for (const json of records) expect(parseInterventions(json).length).toBeGreaterThan(0);
  const lines = guide.flatMap(({ text }) => blocksOf(text, "sh").join("").split("\n"));
  const commands = lines.flatMap((line) => {
    const [, command] = /^npx micrographia (\w+)/.exec(line) ?? [];
    return command === undefined ? [] : [{ line, command }];
  });
  expect(commands.length).toBeGreaterThan(5);
  for (const { line, command } of commands) {
    const known = await help(command);
    for (const [option] of line.matchAll(/(?<= )--[\w-]+/g))
      expect(known, line).toContain(`${option} `);
  }
});

test("the changelog has a place for what comes", () => {
  expect(readFileSync("CHANGELOG.md", "utf8")).toMatch(/^# Changelog\n\n## Unreleased$/m);
});
