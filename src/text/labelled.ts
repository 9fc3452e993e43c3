// Texts that somebody labelled, one JSON object a line: which may be learned from, and which judge?
import { z } from "zod";
import { check, fail } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { random } from "../base/random.ts";
import type { Document } from "./document.ts";
import { endContext } from "./pack.ts";

const LineSchema = z.strictObject({
  text: z.string().min(1),
  label: z.string().min(1),
  /** Parts of the text, in UTF-16 units [start, end), that have a label of their own. */
  spans: z
    .array(z.strictObject({ start: z.int().min(0), end: z.int(), label: z.string().min(1) }))
    .optional(),
  split: z.enum(["select", "eval"]).optional(),
});

/**
 * Texts without a `split` are dealt in turn, each label's own, in an order that `seed` gives. A text that
 * comes twice stays in one split. Errors: `text/labels` (no JSON, another shape, spans that
 * overlap, a text in both splits).
 */
export function parseLabelled(
  lines: string,
  { where, seed = 0 }: { where: string; seed?: number },
): Document[] {
  const rows = lines.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    return [{ ...parseLine(line, `${where}, line ${i + 1}`), id: `${where}:${i + 1}` }];
  });
  const dealt = new Map<string, "select" | "eval">();
  for (const { id, text, split } of rows) {
    if (split === undefined) continue;
    check((dealt.get(text) ?? split) === split, "text/labels", "a text is in both splits", {
      where: id,
      got: text.slice(0, 40),
      wanted: "each text either to learn from or to judge on",
    });
    dealt.set(text, split);
  }
  const counts = new Map<string, number>();
  for (const { text, label } of random(seed)
    .stream("labelled")
    .shuffle([...rows])) {
    if (dealt.has(text)) continue;
    const n = counts.get(label) ?? 0;
    counts.set(label, n + 1);
    dealt.set(text, n % 2 === 0 ? "select" : "eval");
  }
  return rows.map(({ id, text, label, spans = [] }) => ({
    id,
    text,
    context: label,
    source: "file",
    split: dealt.get(text)!,
    spans: spans.map(({ start, end, label: context }) => ({ start, end, context })),
  }));
}

function parseLine(line: string, where: string): z.infer<typeof LineSchema> {
  let json: unknown;
  try {
    json = parseJson(line);
  } catch (cause) {
    fail("text/labels", "this line is not JSON", { where, got: line.slice(0, 40), cause });
  }
  const found = LineSchema.safeParse(json);
  if (!found.success)
    return fail("text/labels", "this line is not a labelled text", {
      where,
      got: found.error.issues[0]?.path.join(".") || line.slice(0, 40),
      wanted: '{"text": "…", "label": "…"}, with spans [{start, end, label}] and split if need be',
      cause: found.error,
    });
  const { text, label, spans = [] } = found.data;
  spans.forEach(({ start, end }, i) => {
    check(
      start < end && end <= text.length && start >= (spans[i - 1]?.end ?? 0),
      "text/labels",
      "spans ascend within their text",
      { where, got: `${start} to ${end}`, wanted: `within 0 to ${text.length}, none in another` },
    );
  });
  const taken = [label, ...spans.map((span) => span.label)].includes(endContext);
  check(!taken, "text/labels", "a label has the name of what separates texts", {
    where,
    got: endContext,
    wanted: "another name",
  });
  return found.data;
}
