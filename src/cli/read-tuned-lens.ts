// run --lens tuned: an affine map a layer, learned now on the bundled texts, and judged on others.
import { z } from "zod";
import { fail } from "../base/errors.ts";
import { judgeTunedLens, type TunedLens, trainTunedLens } from "../circuits/index.ts";
import { EstimateSchema, VerdictSchema } from "../evidence/claim.ts";
import { packRows, readFieldGuide, type TokenRows } from "../text/index.ts";
import { number } from "./format.ts";
import { aligned } from "./picture.ts";
import type { Session } from "./read-session.ts";

export const TunedSchema = z.strictObject({
  steps: z.int(),
  /** Read while it was learned. */
  tokens: z.int(),
  seed: z.int(),
  /** On texts that it did not learn from. KL(model ‖ lens), nats, with 95 % intervals over documents. */
  judged: z.array(
    z.strictObject({
      site: z.string(),
      tuned: EstimateSchema,
      plain: EstimateSchema,
      /** plain − tuned */
      gain: EstimateSchema,
      constant: EstimateSchema,
      n_tokens: z.int(),
      n_documents: z.int(),
      verdict: VerdictSchema,
    }),
  ),
});
export type Tuned = z.infer<typeof TunedSchema>;

const longest = 128;
const judgedRows = 64;

export interface TuneOptions {
  steps?: number;
  batch?: number;
}

export async function tunedLens(
  { model, backend, options: { seed }, context }: Session,
  { steps = 250, batch = 8 }: TuneOptions = {},
): Promise<{ lens: TunedLens; tuned: Tuned }> {
  const { tokenizer, config } = model;
  if (tokenizer === undefined)
    return fail("model/tokenizer", "a lens is tuned on texts, which this model cannot read", {
      where: config.name,
    });
  const texts = await readFieldGuide();
  const rowsOf = (split: string): TokenRows =>
    packRows(
      tokenizer,
      texts.filter((text) => text.split === split),
      { n_ctx: Math.min(longest, config.n_ctx) },
    );
  const asked = { steps, batch, seed };
  const lens = await trainTunedLens(model, backend, rowsOf("dictionary"), asked, context);
  const all = rowsOf("eval");
  const judged = await judgeTunedLens(
    model,
    backend,
    lens,
    { ...all, rows: Math.min(judgedRows, all.rows) },
    { seed },
    context,
  );
  return {
    lens,
    tuned: {
      steps,
      tokens: lens.tokens,
      seed,
      judged: judged.map(({ site, claim, plain, gain }) => {
        const { value, low, high } = claim.control!;
        return {
          site,
          tuned: estimateOf(claim.estimate),
          plain: estimateOf(plain),
          gain: estimateOf(gain),
          constant: { value, low, high },
          n_tokens: claim.n,
          n_documents: claim.n_documents,
          verdict: claim.verdict,
        };
      }),
    },
  };
}

type Estimate = z.infer<typeof EstimateSchema>;
const estimateOf = ({ value, low, high }: Estimate): Estimate => ({ value, low, high });

export function tunedLines({ steps, tokens, judged }: Tuned): string[] {
  const [first] = judged;
  const range = ({ value, low, high }: Estimate) =>
    `${number(value)} (${low === null ? "–" : `${number(low)} – ${number(high!)}`})`;
  return [
    `tuned in ${steps} steps on ${number(tokens)} tokens; judged on ${number(first?.n_tokens ?? 0)} others of ${first?.n_documents ?? 0} documents:`,
    ...aligned([
      ["KL before", "tuned", "plain", "constant", ""],
      ...judged.map(({ site, tuned, plain, constant, verdict }) => [
        `block ${site.split(".")[1]}`,
        range(tuned),
        range(plain),
        range(constant),
        verdict,
      ]),
    ]),
  ];
}
