// run --attribution: which layers, heads and neurons spoke for one next token, and which against it?
import { z } from "zod";
import {
  attributionFigures,
  attributionSums,
  logitDifferences,
  type Part,
} from "../circuits/index.ts";
import { signed } from "./format.ts";
import type { Screen } from "./ink.ts";
import { aligned, clipped, tokenLabel } from "./picture.ts";
import { askedAnswers, askedDifference } from "./read-answers.ts";
import {
  type FigureRecord,
  FigureSchema,
  mark,
  promptFor,
  type Reading,
  recordOf,
  shownLayers,
  TokenSchema,
} from "./read-session.ts";

const ShareSchema = z.strictObject({
  part: z.string(),
  /** Logits; beside the same part's share in differences of two random tokens. */
  logits: FigureSchema,
});
export const AttributionReportSchema = z.strictObject({
  tokens: z.array(TokenSchema),
  right: TokenSchema,
  wrong: TokenSchema,
  /** logit(right) − logit(wrong) after the last token: all components add up to it. */
  difference: z.number(),
  components: z.array(ShareSchema),
  heads: z.array(ShareSchema),
  /** Largest first, either sign. */
  neurons: z.array(ShareSchema),
});
export type AttributionReport = z.infer<typeof AttributionReportSchema>;
type Share = z.infer<typeof ShareSchema>;

const mostHeads = 12;
const mostNeurons = 10;
const mostComponents = 40;

export const attributionReading: Reading<AttributionReport> = {
  name: "attribution",
  asked: ({ attribution }) => attribution === true,
  async read(session) {
    const { model, backend, options } = session;
    const prompt = promptFor(session, "--attribution");
    const chosen = shownLayers(session);
    const { right, wrong } = await askedAnswers(session, prompt);
    const answers = { right: [right.id], wrong: [wrong.id] };
    const [difference] = await logitDifferences(model, backend, prompt.tokens, answers);
    const figures = await attributionFigures(model, backend, prompt.tokens, answers, {
      seed: options.seed,
    });
    const within = ({ part }: { part: Part }) => !("layer" in part) || chosen.includes(part.layer);
    const shares = (kind: "head" | "neuron"): Share[] =>
      figures.flatMap((one) =>
        one.part.kind === kind && within(one)
          ? [{ part: unitOf(one.part), logits: recordOf(one.logits) }]
          : [],
      );
    const size = ({ logits }: Share) => Math.abs(logits.value);
    return {
      tokens: [...prompt.pieces],
      right,
      wrong,
      difference: difference!,
      components: attributionSums(figures, componentOf).map(({ name, logits }) => ({
        part: name,
        logits: recordOf(logits),
      })),
      heads: shares("head"),
      neurons: shares("neuron").sort((a, b) => size(b) - size(a)),
    };
  },
  lines({ tokens, right, wrong, difference, components, heads, neurons }, screen) {
    const { ink } = screen;
    const order = (list: readonly Share[]) =>
      [...list].sort((a, b) => Math.abs(b.logits.value) - Math.abs(a.logits.value));
    const blocks = [
      {
        title: "components",
        all: components,
        shown: components.length > mostComponents ? order(components) : components,
        most: mostComponents,
      },
      { title: "heads", all: heads, shown: order(heads), most: mostHeads },
      { title: "neurons", all: neurons, shown: order(neurons), most: mostNeurons },
    ].filter(({ all }) => all.length > 0);
    const top = Math.max(
      ...blocks.flatMap(({ all }) => all.map(({ logits }) => Math.abs(logits.value))),
    );
    const rows = blocks.flatMap(({ title, all, shown, most }) => {
      const cut = all.length > most ? `, ${most} of ${all.length}` : "";
      return [
        ["", "", "", ""],
        [ink.bold(`${title}${cut}`), "share", "random tokens", ""],
        ...shown
          .slice(0, most)
          .map(({ part, logits }) => [
            `${mark(logits, { signed: true })} ${part}`,
            signed(logits.value),
            band(logits),
            signedBar(logits.value / top, screen),
          ]),
      ];
    });
    return [
      `direct logit attribution   ${askedDifference(right, wrong)} after ${clipped(tokenLabel(tokens.at(-1)!), 14)} is ${signed(difference)}`,
      "each part's share, in logits, beside its share in 16 differences of random tokens",
      "● further from zero than 95 % of those, as one part in twenty is by chance   ○ not",
      ...aligned(rows),
    ];
  },
};

function unitOf(part: Part): string {
  if (part.kind === "head") return `${part.layer}.${part.head}`;
  return part.kind === "neuron" ? `${part.layer}.${part.neuron}` : part.kind;
}

/** Attention and MLP of a layer, each with its bias; embeddings and what comes after the blocks alone. */
function componentOf(part: Part): string {
  if (!("layer" in part)) return part.kind;
  return `${part.layer} ${part.kind === "head" || part.kind === "attn_bias" ? "attn" : "mlp"}`;
}

function band({ controls: [control] }: FigureRecord): string {
  return `${signed(control!.low!)} to ${signed(control!.high!)}`;
}

/** From the middle: to the right above zero, to the left below. */
export function signedBar(share: number, { ink }: Screen, half = 14): string {
  const n = Math.round(Math.min(1, Math.abs(share)) * half);
  const filled = ink.colour ? ink.wash(" ".repeat(n), share || 0) : "█".repeat(n);
  const space = " ".repeat(half - n);
  const [left, right] =
    share < 0 ? [space + filled, " ".repeat(half)] : [" ".repeat(half), filled + space];
  return `${left}│${right}`;
}
