// What text is already on this machine? Documentation, licences, code, JSON and messages of packages.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Context, throwIfStopped } from "../../base/progress.ts";
import { hash32 } from "../../base/random.ts";
import type { Document } from "../document.ts";
import { type Shares, splitOf } from "./files.ts";
import { type FoundFile, findFiles } from "./find-files.ts";
import { pieces } from "./pieces.ts";
import { readTextFile } from "./text-file.ts";

export type MachineKind = "docs" | "code" | "licence" | "json" | "messages";

export interface MachineOptions {
  /** A `node_modules` folder; the nearest one above this file when absent. */
  folder?: string;
  /** Characters of each kind. */
  budgets?: Readonly<Partial<Record<MachineKind, number>>>;
  shares?: Shares;
}

/** Machine text trains; no figure is measured on it. */
const trainingOnly: Shares = { grow: 0.5, dictionary: 0.5 };
const defaultBudgets: Record<MachineKind, number> = {
  docs: 2e6,
  code: 2e6,
  licence: 2e5,
  json: 5e5,
  messages: 2e6,
};
/** From one file at most this many pieces: breadth before depth. */
const piecesOfAFile = 12;

export function machineFolder(): string | undefined {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const found = join(at, "node_modules");
    if (existsSync(found)) return found;
    if (at === dirname(at)) return undefined;
  }
}

/** The kind of a file by its name, or undefined for what is not worth reading. */
export function machineKind(name: string): MachineKind | undefined {
  const base = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  if (/^(licen[cs]e|copying|notice|third.?party)/.test(base)) return "licence";
  if (/\.(map|min\.\w+|lock)$|-lock\.json$|bundle|tsbuildinfo/.test(base)) return undefined;
  if (/(^|\/)(locales?|i18n|lang|languages|nls)\/|diagnosticmessages/.test(name.toLowerCase()))
    return /\.(json|js|mjs|ts|properties|po)$/.test(base) && !base.endsWith(".d.ts")
      ? "messages"
      : undefined;
  if (/\.(md|mdx|markdown|rst|txt)$/.test(base)) return "docs";
  if (/\.(m?js|ts|tsx|jsx|css|py|c|h|cc|cpp|rs|go|sh)$/.test(base)) return "code";
  return base.endsWith(".json") ? "json" : undefined;
}

/**
 * In an order fixed by the files' paths (by their hash, so that every package has its turn), up to a
 * number of characters of each kind; pieces that stand twice come once. Contexts: `machine-docs` …
 */
export async function machineDocuments(
  {
    folder = machineFolder(),
    budgets = defaultBudgets,
    shares = trainingOnly,
  }: MachineOptions = {},
  context: Context = {},
): Promise<Document[]> {
  if (folder === undefined) return [];
  const byKind = new Map<MachineKind, FoundFile[]>();
  for (const file of await findFiles([folder], { skip: [".bin", ".cache"] })) {
    const kind = machineKind(file.name);
    if (kind !== undefined) byKind.set(kind, [...(byKind.get(kind) ?? []), file]);
  }
  const documents: Document[] = [];
  for (const [kind, files] of [...byKind].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const budget = budgets[kind] ?? 0;
    let have = 0;
    const seen = new Set<string>();
    const order = files.map((file) => ({ ...file, key: hash32(file.name) }));
    order.sort((a, b) => a.key - b.key || (a.name < b.name ? -1 : 1));
    for (const { path, name } of order) {
      if (have >= budget) break;
      throwIfStopped(context);
      for (const text of await firstPieces(path, kind)) {
        if (seen.has(text)) continue;
        seen.add(text);
        have += text.length;
        documents.push({
          id: `machine/${name}#${documents.length}`,
          text,
          context: `machine-${kind}`,
          source: "machine",
          split: splitOf(text, shares),
        });
      }
      context.onProgress?.({
        stage: `machine ${kind}`,
        done: have,
        total: budget,
        unit: "characters",
      });
    }
  }
  return documents;
}

async function firstPieces(path: string, kind: MachineKind): Promise<string[]> {
  const parts = await readTextFile(path).catch(() => undefined);
  if (parts === undefined) return [];
  const first = await parts.next();
  await parts.return(undefined);
  const text = first.done ? "" : first.value;
  if (text.length < 200 || isMinified(text)) return [];
  const made: string[] = [];
  for (const piece of pieces(kind === "messages" ? unescaped(text) : text, {
    min: 500,
    max: 1000,
  })) {
    if (piece.length >= 200) made.push(piece);
    if (made.length >= piecesOfAFile) break;
  }
  return made;
}

/** Written for machines, on one line. */
function isMinified(text: string): boolean {
  const head = text.slice(0, 20_000);
  return head.length / (head.split("\n").length + 1) > 220;
}

/** Message files often spell their letters as \uXXXX: the letters are what is wanted. */
function unescaped(text: string): string {
  return text.replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
