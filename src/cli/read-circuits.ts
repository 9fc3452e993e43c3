// run --circuits: which tokens does a head connect, by its weights alone, and what would chance connect?
import { z } from "zod";
import { tokenCircuit } from "../circuits/index.ts";
import { number, short } from "./format.ts";
import { aligned, clipped, sideBySide, tokenLabel } from "./picture.ts";
import { askedHeads } from "./read-attention.ts";
import {
  FigureSchema,
  mark,
  type Reading,
  recordOf,
  shownLayers,
  TokenSchema,
  tokensOf,
} from "./read-session.ts";

const CircuitSchema = z.strictObject({
  layer: z.int(),
  head: z.int(),
  circuit: z.enum(["QK", "OV"]),
  /** The largest entry, beside that of the head with its weights shuffled. */
  largest: FigureSchema,
  /** Share of tokens whose own entry is among the ten largest of their row; beside the same. */
  own: FigureSchema,
  /** QK: a query's token, a key's token, the score. OV: the token attended to, the one raised, logits. */
  top: z.array(z.strictObject({ from: TokenSchema, to: TokenSchema, value: z.number() })),
});
export const CircuitsReportSchema = z.strictObject({ circuits: z.array(CircuitSchema) });
export type CircuitsReport = z.infer<typeof CircuitsReportSchema>;

const both = ["QK", "OV"] as const;
const shown = 8;

export const circuitsReading: Reading<CircuitsReport> = {
  name: "circuits",
  asked: ({ circuits }) => circuits !== undefined,
  async read(session) {
    const { model, backend, options } = session;
    const found: CircuitsReport["circuits"] = [];
    for (const at of askedHeads(model.config, options.circuits!, shownLayers(session)))
      for (const circuit of both) {
        const asked = { ...at, circuit, seed: options.seed };
        const { top, largest, own } = await tokenCircuit(model, backend, asked);
        found.push({
          ...at,
          circuit,
          largest: recordOf(largest),
          own: recordOf(own),
          top: top.map(({ from, to, value }) => {
            const [a, b] = tokensOf(model, [from, to]);
            return { from: a!, to: b!, value };
          }),
        });
      }
    return { circuits: found };
  },
  lines({ circuits }, { width }) {
    const pictures = circuits.map(({ layer, head, circuit, largest, own, top }) => {
      const arrow = circuit === "QK" ? "looks for" : "raises";
      const label = (token: (typeof top)[number]["from"]) => clipped(tokenLabel(token), 14);
      const rows = top
        .slice(0, shown)
        .map(({ from, to, value }) => [label(from), arrow, label(to), number(value)]);
      const figures = [
        ["", "", "shuffled"],
        [`${mark(largest)} largest`, number(largest.value), number(largest.controls[0]!.value)],
        [`${mark(own)} itself in ten`, short(own.value), short(own.controls[0]!.value)],
      ];
      const lines = [...aligned(rows, 3, 1), "", ...aligned(figures)];
      return { title: `${layer}.${head} ${circuit}`, lines: [...lines, ""] };
    });
    return [
      "token circuits   from embeddings alone: QK who looks for whom (score), OV what that raises (logits)",
      "",
      ...sideBySide(pictures, width).map((line) => line.trimEnd()),
    ];
  },
};
