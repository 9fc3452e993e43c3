// Which numbers of a site does an intervention touch: which rows, positions, tokens, heads, units?
import { z } from "zod";
import { check, fail } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tensor } from "../tensor/tensor.ts";

/** An index, or a stretch up to but without `to`; negative ones count from the end. */
export const SpanSchema = z.union([
  z.int(),
  z.strictObject({ from: z.int(), to: z.int().optional() }).readonly(),
]);
export type Span = z.infer<typeof SpanSchema>;

const spans = z.union([z.literal("all"), z.array(SpanSchema).min(1).readonly()]).optional();

/** What is left out is all there is. */
export const WhereSchema = z
  .strictObject({
    /** Site strings, globs of them (`blocks.*.mlp.hook_post`), or short names (`mlp_post`). */
    sites: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).readonly()]),
    layers: spans,
    heads: spans,
    /** Of an attention pattern: the queries. */
    positions: spans,
    /** Of an attention pattern. */
    keys: spans,
    /** Along the site's last axis: neurons, or directions of the residual stream. */
    units: spans,
    /** Only where the model reads one of these. */
    tokens: z.array(z.int().min(0)).min(1).readonly().optional(),
    /** Of the batch. */
    rows: spans,
  })
  .readonly();
export type Where = z.infer<typeof WhereSchema>;

/** Indices in order, each once; refuses with `code` what lies outside. Undefined is everything. */
export function indices(
  named: z.infer<typeof spans>,
  length: number,
  { code, what, where }: { code: string; what: string; where?: string },
): number[] | undefined {
  if (named === undefined || named === "all") return undefined;
  const found = new Set<number>();
  const outside = (got: unknown): never =>
    fail(code, `there is no such ${what}`, {
      where,
      got,
      wanted: length === 0 ? "none" : `${what} 0 to ${length - 1}, or -1 for the last`,
    });
  const absolute = (i: number) => (i < 0 ? i + length : i);
  for (const span of named) {
    if (typeof span === "number") {
      const i = absolute(span);
      if (i < 0 || i >= length) outside(span);
      found.add(i);
      continue;
    }
    const from = absolute(span.from);
    const to = span.to === undefined ? length : absolute(span.to);
    if (from < 0 || to > length || from >= to) outside(span);
    for (let i = from; i < to; i++) found.add(i);
  }
  return [...found].sort((a, b) => a - b);
}

/** 1 at the indices, as bool [length]. */
export function maskOf(found: readonly number[], length: number): Tensor<"bool"> {
  const data = new Uint8Array(length);
  for (const i of found) data[i] = 1;
  return tensor("bool", [length], data);
}

/**
 * Where rows, positions and tokens all agree: bool [rows, pos], or undefined where nothing was
 * said about them. Errors: `site/row`, `site/position`, `site/token`.
 */
export function placeMask(where: Where, tokens: Tensor): Tensor<"bool"> | undefined {
  const [rows, pos] = tokens.shape as [number, number];
  const site = [where.sites].flat().join(", ");
  const inRows = indices(where.rows, rows, { code: "site/row", what: "row", where: site });
  const at = indices(where.positions, pos, {
    code: "site/position",
    what: "position",
    where: site,
  });
  if (inRows === undefined && at === undefined && where.tokens === undefined) return undefined;
  const ids = tokens.data as Int32Array;
  const wanted = where.tokens && new Set(where.tokens);
  const data = new Uint8Array(rows * pos);
  let count = 0;
  const everyRow = inRows ?? Array.from({ length: rows }, (_, i) => i);
  const everyPos = at ?? Array.from({ length: pos }, (_, i) => i);
  for (const row of everyRow)
    for (const p of everyPos) {
      if (wanted !== undefined && !wanted.has(ids[row * pos + p]!)) continue;
      data[row * pos + p] = 1;
      count += 1;
    }
  check(count > 0, "site/token", "none of these tokens stands where the intervention applies", {
    where: site,
    got: where.tokens?.join(", "),
    wanted: `tokens that are read there, e.g. ${[...new Set(ids.subarray(0, 8))].join(", ")}`,
  });
  return tensor("bool", [rows, pos], data);
}
