// What does the guide's code say, is it well typed, and does it print what stands beside it?
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { formatWithOptions } from "node:util";
import ts from "typescript";

const folder = "docs/guide";

export interface GuidePage {
  /** `02-sites.md` */
  readonly name: string;
  readonly text: string;
  /** All ```ts blocks in order, each on the lines that it has on the page. */
  readonly code: string;
}

export function guidePages(): GuidePage[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      return { name, text, code: codeOf(text) };
    });
}

/** What stands in fences of one language, e.g. `json`. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, code]) => code!,
  );
}

function codeOf(text: string): string {
  let language: string | undefined;
  return text
    .split("\n")
    .map((line) => {
      const fence = /^```(\w*)/.exec(line);
      if (fence === null) return language === "ts" ? line : "";
      language = language === undefined ? fence[1] : undefined;
      return "";
    })
    .join("\n");
}

/** A page's block may import the package's doors only. */
const door = (name: string): string =>
  resolve("src", name === "micrographia" ? "index.ts" : `${name.slice(13)}/index.ts`);

/** `page:line: message` for every error of types. The pages are read where they lie, as modules. */
export function typeErrors(pages: readonly GuidePage[]): string[] {
  const { config } = ts.readConfigFile("tsconfig.json", (path) => readFileSync(path, "utf8"));
  const { options } = ts.parseJsonConfigFileContent(
    { compilerOptions: { ...config.compilerOptions, noUnusedLocals: false } },
    ts.sys,
    ".",
  );
  const host = ts.createCompilerHost(options);
  const files = new Map(pages.map((page) => [resolve(folder, `${page.name}.ts`), page]));
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => files.has(resolve(path)) || fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const page = files.get(resolve(path));
    if (page === undefined) return getSourceFile.call(host, path, ...rest);
    return ts.createSourceFile(path, `${page.code}\nexport {};`, rest[0]);
  };
  host.resolveModuleNameLiterals = (literals, from, redirected, own) =>
    literals.map(({ text }) =>
      /^micrographia(\/|$)/.test(text)
        ? { resolvedModule: { resolvedFileName: door(text), extension: ".ts" } }
        : ts.resolveModuleName(text, from, own, host, undefined, redirected),
    );
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, { name }]) => {
    const file = program.getSourceFile(path)!;
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start = 0, messageText }) => {
        const { line } = file.getLineAndCharacterOfPosition(start);
        return `${name}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      },
    );
  });
}

/**
 * Runs a page's blocks as one module. Where a line begins with `console.log(` and ends with a
 * comment, what is printed must be the comment, as far as its … if it has one.
 */
export async function ranWrong({ name, code }: GuidePage, into: string): Promise<string[]> {
  const printed = new Map<number, string>();
  const say = (line: number, ...values: unknown[]) =>
    void printed.set(line, formatWithOptions({ breakLength: Infinity, depth: 4 }, ...values));
  Object.assign(globalThis, { guideSays: say });
  const lines = code.split("\n");
  const traced = lines
    .map((line, i) => line.replace(/^console\.log\(/, `globalThis.guideSays(${i}, `))
    .join("\n")
    .replace(/(?<=from )"(micrographia(?:\/\w+)?)"/g, (_, to: string) =>
      JSON.stringify(pathToFileURL(door(to)).href),
    );
  const file = join(into, `${name.replace(".md", "")}.ts`);
  writeFileSync(file, `${traced}\nexport {};`);
  await import(pathToFileURL(file).href);
  return lines.flatMap((line, i) => {
    const wanted = /^console\.log\(.*\); \/\/ (.*)$/.exec(line)?.[1];
    if (wanted === undefined) return [];
    const got = (printed.get(i) ?? "nothing").replace(/\s+/g, " ");
    const cut = wanted.indexOf("…");
    const same = cut < 0 ? got === wanted : got.startsWith(wanted.slice(0, cut));
    return same ? [] : [`${name}:${i + 1}: says ${wanted}, prints ${got}`];
  });
}
