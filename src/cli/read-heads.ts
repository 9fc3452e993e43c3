// run --heads: what kind is each head, by where it looks in repeated random tokens, and does it copy?
import { z } from "zod";
import { copyingScores, headScores, type Relation, repeatedTokens } from "../circuits/index.ts";
import { hundredths } from "./format.ts";
import { aligned } from "./picture.ts";
import {
  type FigureRecord,
  FigureSchema,
  isClear,
  mark,
  type Reading,
  recordOf,
  shownLayers,
} from "./read-session.ts";

const ScoresSchema = z.strictObject({
  layer: z.int(),
  head: z.int(),
  /** Mean attention; beside uniform attention and the same head of the model with shuffled weights. */
  previous: FigureSchema,
  current: FigureSchema,
  first: FigureSchema,
  duplicate: FigureSchema,
  induction: FigureSchema,
  /** Σ λ / Σ |λ| of the OV circuit's eigenvalues; beside the same head with W_V shuffled. */
  copying: FigureSchema,
});
export const HeadsReportSchema = z.strictObject({
  /** Rows of random tokens, each read twice. */
  rows: z.int(),
  length: z.int(),
  /** What stands before each, where texts begin with a token of their own. */
  bos: z.int().nullable(),
  heads: z.array(ScoresSchema),
});
export type HeadsReport = z.infer<typeof HeadsReportSchema>;
type Scores = z.infer<typeof ScoresSchema>;

const kinds = ["previous", "current", "first", "duplicate", "induction", "copying"] as const;
const mostRows = 40;

export const headsReading: Reading<HeadsReport> = {
  name: "heads",
  asked: ({ heads }) => heads === true,
  async read(session) {
    const { model, backend, context, options } = session;
    const chosen = shownLayers(session);
    // What stands at the start of every text stands here too: many heads rest on it.
    const around = model.tokenizer?.encode("", { special: true }) ?? [];
    const bos = around[0];
    const tokens = repeatedTokens(model, { seed: options.seed, bos });
    const [rows, pos] = tokens.shape as [number, number];
    const first = bos === undefined ? 0 : 1;
    const found = await headScores(model, backend, tokens, { seed: options.seed });
    const copies = await copyingScores(model, backend, { seed: options.seed }, context);
    const heads = found.map(({ layer, head, scores }, i): Scores => {
      const of = (relation: Relation) => recordOf(scores[relation]);
      return {
        layer,
        head,
        previous: of("previous"),
        current: of("current"),
        first: of("first"),
        duplicate: of("duplicate"),
        induction: of("induction"),
        copying: recordOf(copies[i]!.score),
      };
    });
    return {
      rows,
      length: (pos - first) / 2,
      bos: bos ?? null,
      heads: heads.filter(({ layer }) => chosen.includes(layer)),
    };
  },
  lines({ rows, length, heads }, { ink }) {
    const excess = (one: Scores) =>
      Math.max(
        ...kinds.map((kind) => one[kind].value - Math.max(...one[kind].controls.map(highest))),
      );
    const strongest = new Set([...heads].sort((a, b) => excess(b) - excess(a)).slice(0, mostRows));
    const cell = (figure: FigureRecord) => {
      const drawn = figure.controls.find(({ draws }) => draws > 0);
      const control = `(${hundredths(drawn?.value ?? Number.NaN)})`.padEnd(6);
      const text = `${mark(figure)} ${hundredths(figure.value).padStart(4)} ${control}`;
      return isClear(figure) ? ink.wash(text, figure.value) : text;
    };
    const uniform = (kind: (typeof kinds)[number]) =>
      heads[0]?.[kind].controls.find(({ kind: of }) => of === "uniform-attention")?.value;
    const table = aligned([
      ["head", ...kinds.map((kind) => `${kind}  `)],
      ...heads
        .filter((one) => strongest.has(one))
        .map((one) => [`${one.layer}.${one.head}`, ...kinds.map((kind) => cell(one[kind]))]),
      [
        "uniform",
        ...kinds.map((kind) => `${hundredths(uniform(kind) ?? Number.NaN)} ${" ".repeat(6)}`),
      ],
    ]);
    const hidden = heads.length - strongest.size;
    return [
      `head scores   attention in ${rows} rows of ${length} random tokens, each read twice; copying by weights`,
      "(in brackets: shuffled weights)   ● above all controls   ○ not",
      ...(hidden > 0
        ? [`(the ${mostRows} that lead most, of ${heads.length}; --json has all)`]
        : []),
      "",
      ...table,
    ];
  },
};

const highest = ({ value, high }: FigureRecord["controls"][number]): number => high ?? value;
