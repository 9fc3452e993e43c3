// run --composition: which heads read, by their weights, what an earlier head writes?
import { z } from "zod";
import { compositionScores } from "../circuits/index.ts";
import { hundredths } from "./format.ts";
import { aligned, sideBySide } from "./picture.ts";
import { FigureSchema, mark, type Reading, recordOf, shownLayers } from "./read-session.ts";

const HeadSchema = z.strictObject({ layer: z.int(), head: z.int() });
export const CompositionReportSchema = z.strictObject({
  /** Strongest first; beside normal weights of the same shapes. */
  pairs: z.array(
    z.strictObject({
      kind: z.enum(["Q", "K", "V"]),
      from: HeadSchema,
      to: HeadSchema,
      score: FigureSchema,
    }),
  ),
});
export type CompositionReport = z.infer<typeof CompositionReportSchema>;

const shown = 10;
const kinds = ["Q", "K", "V"] as const;

export const compositionReading: Reading<CompositionReport> = {
  name: "composition",
  asked: ({ composition }) => composition === true,
  async read(session) {
    const { model, backend, options, context } = session;
    const layers = shownLayers(session);
    const scores = await compositionScores(model, backend, { seed: options.seed }, context);
    const pairs = scores
      .filter(({ from, to }) => layers.includes(from.layer) && layers.includes(to.layer))
      .map((one) => ({ ...one, score: recordOf(one.score) }));
    return { pairs: pairs.sort((a, b) => b.score.value - a.score.value) };
  },
  lines({ pairs }, { width }) {
    const title =
      "composition   how much of what one head writes a later one reads, by weights, 0 to 1";
    if (pairs.length === 0) return [title, "there are no heads in a later layer"];
    const pictures = kinds.map((kind) => {
      const own = pairs.filter((one) => one.kind === kind);
      const rows = own.slice(0, shown).map(({ from, to, score }) => {
        const { low, high } = score.controls[0]!;
        return [
          `${mark(score)} ${from.layer}.${from.head} → ${to.layer}.${to.head}`,
          hundredths(score.value),
          `${hundredths(low!)} to ${hundredths(high!)}`,
        ];
      });
      const lines = aligned([["", "score", "random weights"], ...rows]);
      return { title: `${kind}, ${Math.min(shown, own.length)} of ${own.length}`, lines };
    });
    return [title, "", ...sideBySide(pictures, width).map((line) => line.trimEnd())];
  },
};
