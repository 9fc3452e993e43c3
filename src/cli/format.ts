// How figures and times read on a terminal.

/** `13 M`, `4.2 k`, `.041`: three digits, no more. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size >= 1e9) return `${digits(value / 1e9)} G`;
  if (size >= 1e6) return `${digits(value / 1e6)} M`;
  if (size >= 1e4) return `${digits(value / 1e3)} k`;
  if (Number.isInteger(value)) return String(value);
  if (size >= 1) return digits(value);
  if (size >= 0.001) return value.toFixed(3).replace(/^(-?)0\./, "$1.");
  return value.toExponential(1);
}

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2).replace(/\.0+$/, "");
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function bytes(value: number): string {
  return value >= 2 ** 30
    ? `${(value / 2 ** 30).toFixed(2)} GB`
    : `${Math.round(value / 2 ** 20)} MB`;
}

export function bar(share: number, width = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "━".repeat(full) + "╌".repeat(width - full);
}

/** Nested figures as lines: `name  value`; records of records of numbers as a table. */
export function figures(value: unknown, indent = ""): string[] {
  if (typeof value !== "object" || value === null) return [`${indent}${scalar(value)}`];
  const entries = Object.entries(value);
  if (entries.length > 1 && entries.every(([, row]) => isRow(row)))
    return table(entries as [string, Record<string, unknown>][], indent);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.flatMap(([name, inner]) =>
    typeof inner === "object" && inner !== null
      ? [`${indent}${name}`, ...figures(inner, `${indent}  `)]
      : [`${indent}${name.padEnd(width)}  ${scalar(inner)}`],
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRow(value: unknown): boolean {
  return isRecord(value) && !Object.values(value).some(isRecord);
}

function table(rows: [string, Record<string, unknown>][], indent: string): string[] {
  const columns = [...new Set(rows.flatMap(([, row]) => Object.keys(row)))].filter((column) =>
    rows.some(([, row]) => typeof row[column] !== "object"),
  );
  const cells = [
    ["", ...columns],
    ...rows.map(([name, row]) => [name, ...columns.map((column) => scalar(row[column]))]),
  ];
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells.map((row) =>
    `${indent}${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`.trimEnd(),
  );
}

function scalar(value: unknown): string {
  if (typeof value === "number") return number(value);
  if (value === null || value === undefined) return "–";
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** For the cells of a table: two digits after the point below 1, three in all above; `<.005`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "–";
  if (size > 0 && size < 0.005) return value > 0 ? "<.005" : ">-.005";
  if (size === 0 || size >= 1) return number(value);
  return value.toFixed(2).replace(/^(-?)0\./, "$1.");
}

/** For the cells of a map: hundredths, `.98`, `-.03`. */
export function hundredths(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value
    .toFixed(2)
    .replace(/^-(?=0\.00$)/, "")
    .replace(/^(-?)0\./, "$1.");
}

export function signed(value: number): string {
  return value >= 0.005 ? `+${short(value)}` : short(value);
}
