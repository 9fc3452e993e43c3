// How do numbers along a text look on a terminal: bars below its tokens, and attention as blocks?
import type { TokenPiece } from "../text/tokenizer.ts";
import { type Ink, plain } from "./ink.ts";

const bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const styles = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

/** A token as one visible word: `·the`, `⏎`, `<eot>`, `\xC3`. */
export function tokenLabel({ text, hex, special }: TokenPiece): string {
  if (special !== undefined) return special;
  if (hex !== undefined) return hex.replace(/../g, "\\x$&");
  return text
    .replaceAll(" ", "·")
    .replaceAll("\n", "⏎")
    .replaceAll("\t", "⇥")
    .replace(/[\p{Cc}\p{Cf}]/gu, "¿");
}

/** Columns that a text takes: wide characters take two, marks on others and colours none. */
export function columnsOf(text: string): number {
  let n = 0;
  for (const c of text.replace(styles, "")) {
    if (/\p{M}/u.test(c)) continue;
    n +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
        c,
      ) || /\p{Extended_Pictographic}/u.test(c)
        ? 2
        : 1;
  }
  return n;
}

/** Filled up with spaces to so many columns, at the right or, for numbers, at the left. */
export function padded(text: string, width: number, side: "right" | "left" = "right"): string {
  const space = " ".repeat(Math.max(0, width - columnsOf(text)));
  return side === "right" ? text + space : space + text;
}

/** Cut to so many columns, which `…` says. */
export function clipped(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  let kept = "";
  for (const c of text) {
    if (columnsOf(kept) + columnsOf(c) > width - 1) break;
    kept += c;
  }
  return `${kept}…`;
}

/** Cells in columns, `left` of them set flush left, numbers flush right; lines end where they end. */
export function aligned(rows: readonly (readonly string[])[], left = 1, gap = 2): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, columnsOf(cell));
  return rows.map((row) =>
    row
      .map((cell, i) => padded(cell, widths[i]!, i < left ? "right" : "left"))
      .join(" ".repeat(gap))
      .trimEnd(),
  );
}

export interface Row {
  label: string;
  /** One a token; not a number where there is none. */
  values: readonly number[];
}

/**
 * Tokens in a line, and below them a bar for each row's value; long texts are broken. All rows share
 * one scale, from 0 (or the least value, where that is below) to the largest.
 */
export function strip(tokens: readonly string[], rows: readonly Row[], width = 100): string[] {
  const finite = rows.flatMap(({ values }) => values.filter(Number.isFinite));
  const least = Math.min(0, ...finite);
  const most = Math.max(...finite, least);
  const margin = Math.max(...rows.map(({ label }) => label.length)) + 2;
  const bar = (value: number): string => {
    if (!Number.isFinite(value)) return " ";
    const share = most > least ? (value - least) / (most - least) : 0;
    return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))]!;
  };
  const lines: string[] = [];
  for (const [from, to] of broken(tokens, width - margin)) {
    const widths = tokens.slice(from, to).map((token) => Math.max(1, columnsOf(token)));
    lines.push(`${" ".repeat(margin)}${tokens.slice(from, to).join(" ")}`);
    for (const { label, values } of rows) {
      const cells = widths.map((w, i) => bar(values[from + i]!).repeat(w));
      lines.push(`${label.padEnd(margin)}${cells.join(" ")}`.trimEnd());
    }
  }
  return lines;
}

/** Stretches of tokens that fit into a line each. */
function broken(tokens: readonly string[], width: number): [number, number][] {
  const found: [number, number][] = [];
  let from = 0;
  let used = 0;
  tokens.forEach((token, i) => {
    const w = Math.max(1, columnsOf(token)) + 1;
    if (i > from && used + w > width) {
      found.push([from, i]);
      from = i;
      used = 0;
    }
    used += w;
  });
  if (tokens.length > 0) found.push([from, tokens.length]);
  return found;
}

const mostCells = 40;

export interface HeatMapOptions {
  /** What is drawn at full strength. */
  top?: number;
  ink?: Ink;
  /** Nothing is drawn above the diagonal. */
  causal?: boolean;
}

/** Queries down, keys across, each cell two columns wide; long texts are drawn by their largest weights. */
export function heatMap(
  weights: readonly (readonly number[])[],
  { top = 1, ink = plain, causal = true }: HeatMapOptions = {},
): string[] {
  const n = weights.length;
  const bin = Math.ceil(n / mostCells);
  const cells = Math.ceil(n / bin);
  const most = (q: number, k: number): number => {
    let found = 0;
    for (let i = q * bin; i < Math.min(n, (q + 1) * bin); i++)
      for (let j = k * bin; j < Math.min(n, (k + 1) * bin); j++)
        found = Math.max(found, weights[i]![j]!);
    return found;
  };
  const cell = (q: number, k: number): string =>
    causal && k > q ? "  " : ink.cell(Math.max(0, most(q, k) / top));
  return Array.from({ length: cells }, (_, q) =>
    Array.from({ length: cells }, (_, k) => cell(q, k)).join(""),
  );
}

/** Pictures side by side, each with its title, in as many rows as the width needs. */
export function sideBySide(
  pictures: readonly { title: string; lines: readonly string[] }[],
  width = 100,
): string[] {
  const out: string[] = [];
  let row: { title: string; lines: readonly string[]; wide: number }[] = [];
  let used = 0;
  const flush = (): void => {
    if (row.length === 0) return;
    const high = Math.max(...row.map(({ lines }) => lines.length));
    const line = (cell: (one: (typeof row)[number]) => string) =>
      row
        .map((one) => padded(cell(one), one.wide))
        .join("  ")
        .trimEnd();
    out.push(line(({ title }) => title));
    for (let i = 0; i < high; i++) out.push(line(({ lines }) => lines[i] ?? ""));
    row = [];
    used = 0;
  };
  for (const one of pictures) {
    const wide = Math.max(columnsOf(one.title), ...one.lines.map(columnsOf));
    if (used + wide > width) flush();
    row.push({ ...one, wide });
    used += wide + 2;
  }
  flush();
  return out;
}
