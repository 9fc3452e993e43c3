// run --lens: what would the model say next if it stopped after each layer?
import { z } from "zod";
import { logitLens } from "../circuits/index.ts";
import { number, short } from "./format.ts";
import { aligned, clipped, tokenLabel } from "./picture.ts";
import {
  FigureSchema,
  promptFor,
  type Reading,
  recordOf,
  shownLayers,
  TokenSchema,
  thinned,
  tokensOf,
} from "./read-session.ts";
import { TunedSchema, tunedLens, tunedLines } from "./read-tuned-lens.ts";

export const LensReportSchema = z.strictObject({
  tokens: z.array(TokenSchema),
  /** Of the model: ranks by chance are about half of it. */
  d_vocab: z.int(),
  /** How a tuned lens was learned, and what it is worth; absent for the plain one. */
  tuned: TunedSchema.optional(),
  layers: z.array(
    z.strictObject({
      site: z.string(),
      /** −1: the embeddings alone; the last is the model itself. */
      after: z.int(),
      /** Mean over positions of KL(model ‖ lens), nats. */
      kl: FigureSchema,
      positions: z.array(
        z.strictObject({
          top: z.array(z.strictObject({ ...TokenSchema.shape, p: z.number() })),
          /** Of the token that came; null at the last. */
          p_next: z.number().nullable(),
          /** 0 is the likeliest. */
          rank_next: z.int().nullable(),
          kl: z.number(),
        }),
      ),
    }),
  ),
});
export type LensReport = z.infer<typeof LensReportSchema>;

const mostRows = 40;
const cell = 13;

export const lensReading: Reading<LensReport> = {
  name: "lens",
  asked: ({ lens }) => lens !== undefined,
  async read(session) {
    const { model, backend, options, context } = session;
    const { tokens, pieces } = promptFor(session, "--lens");
    const made = options.lens === "tuned" ? await tunedLens(session) : undefined;
    const asked = { k: options.top, translators: made?.lens, constant: made?.lens.constant };
    const { k, layers } = await logitLens(model, backend, tokens, asked, context);
    const chosen = shownLayers(session);
    return {
      tokens: [...pieces],
      d_vocab: model.config.d_vocab,
      ...(made && { tuned: made.tuned }),
      layers: layers
        .map((layer, i) => ({ layer, after: i - 1 }))
        .filter(({ after }) => options.layers === undefined || chosen.includes(after))
        .map(({ layer: { site, meanKL, top, logProbability, kl, ce, rank }, after }) => ({
          site,
          after,
          kl: recordOf(meanKL),
          positions: pieces.map((_, t) => ({
            top: tokensOf(model, top.subarray(t * k, (t + 1) * k)).map((token, i) => ({
              ...token,
              p: Math.exp(logProbability[t * k + i]!),
            })),
            p_next: Number.isFinite(ce[t]!) ? Math.exp(-ce[t]!) : null,
            rank_next: rank[t]! < 0 ? null : rank[t]!,
            kl: kl[t]!,
          })),
        })),
    };
  },
  lines({ tokens, layers, d_vocab, tuned }, { width, ink }) {
    const labels = tokens.map((token) => clipped(tokenLabel(token), 12));
    const from = Math.max(0, labels.length - mostRows);
    const rows = labels.slice(from).map((label, i) => ({ label, t: from + i }));
    const name = (after: number) => (after < 0 ? "embed" : `layer ${after}`);
    const shown = thinned(layers, Math.floor((width - 14) / (cell + 2)));
    const best = aligned(
      [
        ["after", ...shown.map(({ after }) => name(after))],
        ...rows.map(({ label, t }) => [
          label,
          ...shown.map(({ positions }) => {
            const [{ p, ...token }] = positions[t]!.top as [LensTop];
            return ink.wash(`${clipped(tokenLabel(token), cell - 4)} ${short(p).padStart(3)}`, p);
          }),
        ]),
        ["KL", ...shown.map(({ kl }) => number(kl.value))],
        ["  constant", ...shown.map(({ kl }) => number(kl.controls[0]!.value))],
      ],
      1,
    );
    const ranked = thinned(layers, Math.floor((width - 14) / 9));
    const ranks = aligned([
      ["after", ...ranked.map(({ after }) => name(after))],
      ...rows
        .filter(({ t }) => t + 1 < tokens.length)
        .map(({ label, t }) => [
          `${label} → ${labels[t + 1]}`,
          ...ranked.map(({ positions }) => {
            const { rank_next, p_next } = positions[t]!;
            return ink.wash(number(rank_next!), p_next!);
          }),
        ]),
    ]);
    const chance = number(Math.round((d_vocab - 1) / 2));
    const notes = [
      ...(from > 0 ? [`the last ${rows.length} of ${tokens.length} tokens`] : []),
      ...(shown.length < layers.length
        ? [`${shown.length} of ${layers.length} layers: --layers picks`]
        : []),
    ];
    return [
      `${tuned ? "tuned" : "logit"} lens   likeliest next token after each layer, and its probability`,
      "KL: from what the model says in the end, nats; constant: of a prediction that never looks",
      ...notes.map((note) => `(${note}; --json has all)`),
      "",
      ...best,
      ...(tuned ? ["", ...tunedLines(tuned)] : []),
      ...(rows.length < 2
        ? []
        : ["", `rank of the token that came; by chance ${chance}`, ...ranks]),
    ];
  },
};

type LensTop = LensReport["layers"][number]["positions"][number]["top"][number];
