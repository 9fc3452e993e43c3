// run --attention: where does each head look, and how much more narrowly than if it looked everywhere alike?
import { z } from "zod";
import { check } from "../base/errors.ts";
import { attentionPatterns } from "../circuits/index.ts";
import { type ModelConfig, runEncoder, site } from "../models/index.ts";
import { short } from "./format.ts";
import type { Screen } from "./ink.ts";
import { clipped, columnsOf, heatMap, padded, sideBySide, tokenLabel } from "./picture.ts";
import type { Image } from "./read-image.ts";
import {
  FigureSchema,
  promptFor,
  type Reading,
  type Session,
  shownLayers,
  TokenSchema,
} from "./read-session.ts";

const AttendingSchema = z.strictObject({
  layer: z.int(),
  head: z.int(),
  /** Of a query's attention, nats, mean over queries; beside the same for uniform attention. */
  entropy: FigureSchema,
  /** [query][key] */
  pattern: z.array(z.array(z.number())),
});
export const AttentionReportSchema = z.strictObject({
  tokens: z.array(TokenSchema),
  /** Whether a query sees only what is before it. */
  causal: z.boolean(),
  /** Rows and columns of an image's patches, which follow its class token. */
  grid: z.array(z.int()).length(2).optional(),
  heads: z.array(AttendingSchema),
});
export type AttentionReport = z.infer<typeof AttentionReportSchema>;
type Attending = z.infer<typeof AttendingSchema>;

export const attentionReading: Reading<AttentionReport> = {
  name: "attention",
  asked: ({ attention }) => attention !== undefined,
  async read(session) {
    const { model, options, image } = session;
    const wanted = askedHeads(model.config, options.attention!, shownLayers(session));
    const { patterns, pieces } = image
      ? { patterns: await imagePatterns(session, image), pieces: image.pieces }
      : await textPatterns(session);
    const causal = model.config.encoder === undefined || model.config.encoder.causal === true;
    const n = pieces.length;
    return {
      tokens: [...pieces],
      causal,
      ...(image && { grid: [...image.grid] }),
      heads: wanted.map(({ layer, head }) =>
        attending({ layer, head }, rowsOf(patterns[layer]!.data, head, n), causal),
      ),
    };
  },
  lines({ tokens, heads, causal, grid }, screen) {
    if (grid !== undefined) return gridMaps(heads, grid[1]!, screen);
    return [
      "attention   queries down, keys across; full strength is all of a query's attention",
      "each head: mean entropy / what uniform attention has, nats",
      "",
      ...attentionMaps(heads, { labels: tokens.map(tokenLabel), causal }, screen),
    ];
  },
};

async function textPatterns(session: Session) {
  const { tokens, pieces } = promptFor(session, "--attention");
  return { patterns: await attentionPatterns(session.model, session.backend, tokens), pieces };
}

async function imagePatterns({ model, backend }: Session, { pixels }: Image) {
  const { n_layers } = model.config;
  const sites = Array.from({ length: n_layers }, (_, layer) => site("pattern", layer));
  const { cache } = await runEncoder(model, backend, { pixels }, { sites });
  return sites.map((wire) => cache[wire]!);
}

/** Where the class token looks, patch by patch as they lie; each head from 0 to its own largest. */
function gridMaps(heads: readonly Attending[], columns: number, { width, ink }: Screen): string[] {
  const pictures = heads.map(({ layer, head, entropy: { value, controls }, pattern }) => {
    const [self, ...patches] = pattern[0]!;
    const top = Math.max(...patches, 1e-12);
    const rows = Array.from({ length: patches.length / columns }, (_, row) =>
      patches.slice(row * columns, (row + 1) * columns),
    );
    return {
      title: `${layer}.${head} ${short(value)}/${short(controls[0]!.value)}`,
      lines: [
        ...rows.map((row) => row.map((p) => ink.cell(p / top)).join("")),
        `to ${short(top)}; self ${short(self!)}`,
        "",
      ],
    };
  });
  return [
    "attention of the class token   patches as they lie, from 0 to each head's largest",
    "each head: mean entropy of all queries / what uniform attention has, nats",
    "",
    ...sideBySide(pictures, width),
  ];
}

export function attending(
  head: { layer: number; head: number },
  pattern: number[][],
  causal: boolean,
): Attending {
  const n = pattern.length;
  const mean = (of: (row: number[], q: number) => number) =>
    pattern.reduce((sum, row, q) => sum + of(row, q) / n, 0);
  const uniform = mean((_, q) => Math.log(causal ? q + 1 : n));
  const control = { kind: "uniform-attention", value: uniform, low: null, high: null, draws: 0 };
  const value = mean((row) => row.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0));
  return { ...head, entropy: { value, controls: [control] }, pattern };
}

/** Rows of one head of one prompt. data: [1, head, query, key] */
export function rowsOf(data: Float32Array, head: number, n: number): number[][] {
  const row = (q: number) => [...data.subarray((head * n + q) * n, (head * n + q + 1) * n)];
  return Array.from({ length: n }, (_, q) => row(q));
}

/** `all`, or a list of layers and heads: `0,3.1`. Errors: `option/unknown`. */
export function askedHeads(
  { n_layers, n_heads }: ModelConfig,
  asked: string | true,
  layers: readonly number[],
): { layer: number; head: number }[] {
  const inLayer = (layer: number) =>
    Array.from({ length: n_heads }, (_, head) => ({ layer, head }));
  if (asked === true || asked === "all") return layers.flatMap(inLayer);
  return asked.split(",").flatMap((part) => {
    const found = /^(\d+)(?:\.(\d+))?$/.exec(part.trim());
    const [layer, head] = [Number(found?.[1]), Number(found?.[2] ?? 0)];
    check(found && layer < n_layers && head < n_heads, "option/unknown", "there is no such head", {
      got: part,
      wanted: `all, a layer, or layer.head: 0.0 to ${n_layers - 1}.${n_heads - 1}`,
    });
    return found[2] === undefined ? inLayer(layer) : [{ layer, head }];
  });
}

/** Maps in as many rows as the width needs, tokens at the left of each; a single one has them above too. */
export function attentionMaps(
  heads: readonly Attending[],
  { labels, causal }: { labels: readonly string[]; causal: boolean },
  { width, ink }: Screen,
): string[] {
  const pictures = heads.map(({ layer, head, entropy: { value, controls }, pattern }) => {
    const title = `${layer}.${head} ${short(value)}/${short(controls[0]!.value)}`;
    const map = heatMap(pattern, { ink, causal });
    return { title, map, wide: Math.max(columnsOf(title), columnsOf(map[0] ?? "")) };
  });
  const high = pictures[0]?.map.length ?? 0;
  const bin = Math.ceil(labels.length / Math.max(1, high));
  const side = Array.from({ length: high }, (_, i) => clipped(labels[i * bin]!, 10));
  const margin = Math.max(0, ...side.map(columnsOf)) + 1;
  const lines: string[] = [];
  if (bin > 1) lines.push(`(${bin} tokens a cell, by their largest; --json has all)`, "");
  const isSingle = pictures.length === 1;
  if (isSingle) lines.push(pictures[0]!.title, ...above(labels, bin, high, margin));
  let rest = pictures;
  while (rest.length > 0) {
    let fits = 1;
    let used = margin + rest[0]!.wide;
    while (fits < rest.length && used + 2 + rest[fits]!.wide <= width)
      used += 2 + rest[fits++]!.wide;
    const row = rest.slice(0, fits);
    rest = rest.slice(fits);
    const line = (label: string, of: (one: (typeof row)[number]) => string) =>
      padded(label, margin) + row.map((one) => padded(of(one), one.wide)).join("  ");
    if (!isSingle) lines.push(line("", ({ title }) => title).trimEnd());
    for (const [i, label] of side.entries())
      lines.push(line(label, ({ map }) => map[i]!).trimEnd());
    if (rest.length > 0) lines.push("");
  }
  return lines;
}

/** Labels written downwards, each above its two columns. */
function above(labels: readonly string[], bin: number, cells: number, margin: number): string[] {
  const words = Array.from({ length: cells }, (_, i) => [...clipped(labels[i * bin]!, 6)]);
  const high = Math.max(...words.map((word) => word.length));
  return Array.from({ length: high }, (_, row) => {
    const letters = words.map((word) => word[row - high + word.length] ?? "");
    return `${" ".repeat(margin)}${letters.map((letter) => padded(letter, 2)).join("")}`.trimEnd();
  });
}
