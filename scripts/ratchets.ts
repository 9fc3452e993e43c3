// Which compromises does the source hold, and how many of each? The counts may fall, never rise.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** No file may be longer. */
export const longest = 500;
const long = 350;

export interface SourceFile {
  path: string;
  text: string;
  lines: number;
}

/** What git knows, and what it would add: generated files, texts and golden files aside. */
export function sourceFiles(): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((path) => /\.(ts|tsx|mjs|js|css|py|sh|md)$/.test(path))
    .filter(
      (path) => !/^(corpus|organisms|test\/golden)\/|onnx_pb\.ts$|\.generated\.ts$/.test(path),
    )
    .filter((path) => existsSync(path))
    .map((path) => {
      const text = readFileSync(path, "utf8");
      return { path, text, lines: text.split("\n").length - 1 };
    });
}

export function tooLong(files: readonly SourceFile[]): string[] {
  return files.filter(({ lines }) => lines > longest).map(({ path, lines }) => `${path}: ${lines}`);
}

const patterns: Readonly<Record<string, RegExp>> = {
  "type errors that are silenced": /@ts-(expect-error|ignore|nocheck)/g,
  "lint rules that are silenced": /biome-ignore/g,
  "casts through unknown": /\bas unknown as\b/g,
  "casts to never": /\bas never\b/g,
  "things left to do": /\b(TODO|FIXME|XXX)\b/g,
  "tests that are skipped": /\b(test|it|describe)\.(skip|todo|only)\(/g,
};

/** Name → count, over our own TypeScript; tests may cast as they like. */
export function measure(files: readonly SourceFile[]): Record<string, number> {
  const code = files.filter(({ path }) => /\.(ts|tsx|mjs)$/.test(path) && !/ratchets/.test(path));
  const library = code.filter(({ path }) => !/\.test\.tsx?$|^test\//.test(path));
  const counts = Object.entries(patterns).map(([name, pattern]): [string, number] => [
    name,
    (name.startsWith("casts") ? library : code).reduce(
      (sum, { text }) => sum + (text.match(pattern)?.length ?? 0),
      0,
    ),
  ]);
  const lengthy = code.filter(({ lines }) => lines > long).length;
  return { ...Object.fromEntries(counts), [`files above ${long} lines`]: lengthy };
}
