// Which features does a list show: filter, search, sort and facets over the rows of one bundle.
import type { FeatureList, FeatureRow, Histogram } from "../analysis/page.ts";
import type { FeatureQuery } from "../api/types.ts";

export interface FeatureIndex {
  readonly rows: readonly FeatureRow[];
  /** What `q` is looked for in, lower case, one a row. */
  readonly texts: readonly string[];
  readonly facets: FeatureList["facets"];
  readonly byIndex: ReadonlyMap<number, FeatureRow>;
}

export function indexFeatures(rows: readonly FeatureRow[]): FeatureIndex {
  return {
    rows,
    texts: rows.map(searchText),
    facets: facetsOf(rows),
    byIndex: new Map(rows.map((row) => [row.index, row])),
  };
}

export function listFeatures(index: FeatureIndex, query: FeatureQuery): FeatureList {
  const { offset, limit } = query;
  const test = filterOf(query);
  const needle = fold(query.q ?? "").trim();
  const found = index.rows.filter(
    (row, i) => test(row) && (needle === "" || index.texts[i]!.includes(needle)),
  );
  found.sort(comparison(query));
  return {
    total: index.rows.length,
    matching: found.length,
    offset,
    rows: found.slice(offset, offset + limit),
    facets: index.facets,
  };
}

function filterOf(query: FeatureQuery): (row: FeatureRow) => boolean {
  const { min_r, min_density, max_density, alive } = query;
  const contexts = setOf(query.context);
  const verdicts = setOf(query.verdict);
  return (row) =>
    (alive === undefined || row.dead !== alive) &&
    (contexts === undefined || contexts.has(row.best_context ?? "")) &&
    (verdicts === undefined || verdicts.has(verdictOf(row))) &&
    (min_r === undefined || (row.reading !== null && row.reading.estimate.value >= min_r)) &&
    (min_density === undefined || row.density >= min_density) &&
    (max_density === undefined || row.density <= max_density);
}

function setOf(list: string | undefined): Set<string> | undefined {
  return list === undefined || list === "" ? undefined : new Set(list.split(","));
}

function verdictOf(row: FeatureRow): string {
  return row.reading?.verdict ?? "none";
}

const keys: Readonly<Record<FeatureQuery["sort"], (row: FeatureRow) => number | null>> = {
  r: (row) => row.reading?.estimate.value ?? null,
  neuron: (row) => row.reading?.neuron ?? null,
  density: (row) => row.density,
  peak: (row) => row.peak,
  index: (row) => row.index,
};

/** What has no value comes last either way; ties by index, so that pages do not overlap. */
function comparison({ sort, order }: FeatureQuery): (a: FeatureRow, b: FeatureRow) => number {
  const key = keys[sort];
  const sign = (order ?? (sort === "index" ? "asc" : "desc")) === "asc" ? 1 : -1;
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === y) return a.index - b.index;
    if (x === null) return 1;
    if (y === null) return -1;
    return sign * (x - y);
  };
}

function searchText({ name, best_context, example, next_token }: FeatureRow): string {
  const active = (example?.pieces ?? [])
    .filter((_, i) => (example?.acts[i] ?? 0) > 0)
    .map((piece) => piece.text);
  // A unit separator, so that no match spans two tokens that are not neighbours.
  return fold([name, best_context, ...active, next_token?.text].filter(Boolean).join("\u001f"));
}

function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

const rEdges = steps(0, 1, 20);
const densityEdges = steps(-7, 0, 14);

function facetsOf(rows: readonly FeatureRow[]): FeatureList["facets"] {
  const alive = rows.filter((row) => !row.dead);
  const readings = alive.flatMap((row) => (row.reading === null ? [] : [row.reading]));
  const neurons = readings.flatMap(({ neuron }) => (neuron === null ? [] : [neuron]));
  const contexts = counts(
    alive.flatMap((row) => (row.best_context === null ? [] : [row.best_context])),
  );
  return {
    alive: alive.length,
    dead: rows.length - alive.length,
    r: histogram(
      readings.map(({ estimate }) => estimate.value),
      rEdges,
    ),
    density: histogram(
      alive.filter(({ density }) => density > 0).map(({ density }) => Math.log10(density)),
      densityEdges,
    ),
    neuron: histogram(neurons, rEdges),
    contexts: [...contexts]
      .map(([context, features]) => ({ context, features }))
      .sort((a, b) => b.features - a.features || (a.context < b.context ? -1 : 1)),
    verdicts: Object.fromEntries(counts(rows.map(verdictOf))),
  };
}

function counts(values: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
  return found;
}

/** Values beyond the edges count in the outermost bins. */
function histogram(values: readonly number[], edges: readonly number[]): Histogram {
  const bins = edges.length - 1;
  const [low, high] = [edges[0]!, edges[bins]!];
  const found = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.floor(((value - low) / (high - low)) * bins);
    found[Math.min(bins - 1, Math.max(0, bin))]!++;
  }
  return { edges: [...edges], counts: found };
}

function steps(from: number, to: number, n: number): number[] {
  return Array.from({ length: n + 1 }, (_, i) => from + ((to - from) * i) / n);
}
