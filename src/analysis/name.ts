// What can be said about a feature in a few words, from its figures alone?
import type { Claim } from "../evidence/claim.ts";
import { activation, count, figure, percent, quoted, withInterval } from "./format.ts";
import type { FeaturePage, Piece } from "./page.ts";

export interface NameFacts {
  best_context: string | null;
  /** Correlation given the token with the best context. */
  claim: Claim | null;
  characteristic: { current: TokenShown[]; previous: TokenShown[] };
}

export interface TokenShown {
  piece: Piece;
  share: number;
}

/** A token is the name when half of the activation is spent on it. */
const enough = 0.5;

/**
 * The context where the claim about it holds (or, while its control is pending, where the interval clears the
 * margin and the best neuron does no better); else the tokens it is spent on; else nothing.
 */
export function nameOf({ best_context, claim, characteristic }: NameFacts): string | null {
  const { current, previous } = characteristic;
  const token = current[0] !== undefined && current[0].share >= enough ? current[0] : null;
  if (best_context !== null && claim !== null && carries(claim))
    return token === null ? best_context : `${quoted(token.piece)} in ${best_context}`;
  if (token !== null) return quoted(token.piece);
  const before = previous[0];
  if (before !== undefined && before.share >= enough) return `after ${quoted(before.piece)}`;
  const three = current.slice(0, 3);
  if (three.length === 3 && three.reduce((sum, t) => sum + t.share, 0) >= 0.6)
    return three.map((t) => quoted(t.piece)).join(", ");
  return null;
}

function carries(claim: Claim): boolean {
  if (claim.verdict === "holds") return true;
  if (claim.verdict !== "pending") return false;
  const neuron = claim.baselines.find((b) => b.kind === "best-neuron");
  return (
    (claim.estimate.low ?? 0) >= claim.margin &&
    (neuron === undefined || claim.estimate.value >= neuron.value)
  );
}

/** One to three sentences made of its figures; the unwelcome half is said too. */
export function statementOf(
  page: Pick<
    FeaturePage,
    | "dead"
    | "density"
    | "n_tokens"
    | "best_context"
    | "claims"
    | "intervals"
    | "peak"
    | "characteristic"
  >,
): string {
  if (page.dead)
    return `It never fired on ${count(page.n_tokens)} tokens: its density is below ${percent(3 / page.n_tokens)} (95 %).`;
  const sentences = [`Fires on ${percent(page.density.value)} of tokens`];
  const top = page.characteristic.current[0];
  if (top !== undefined && top.share >= 0.25)
    sentences[0] += `, and spends ${percent(top.share)} of its activation on ${quoted(top.piece)}`;
  sentences[0] += ".";
  const claim = page.claims.find((c) => c.metric === "r_given_token");
  if (page.best_context === null || claim === undefined)
    sentences.push("No context goes with it beyond what the current token tells.");
  else {
    sentences.push(contextSentence(page.best_context, claim));
    const weakest = page.intervals.at(-1);
    const strongest = page.intervals.find((i) => i.n > 0);
    if (weakest?.share && strongest?.share && weakest.share.value < strongest.share.value - 0.1)
      sentences.push(
        `Of ${count(weakest.n)} tokens below ${activation(weakest.high)}, ` +
          `${percent(weakest.share.value)} lie in ${page.best_context}; in its strongest interval ` +
          `${percent(strongest.share.value)}.`,
      );
  }
  return sentences.join(" ");
}

function contextSentence(context: string, claim: Claim): string {
  const value = `Its correlation with ${context}, given the token, is ${withInterval(claim.estimate)}`;
  const neuron = claim.baselines.find((b) => b.kind === "best-neuron");
  const rival = neuron === undefined ? "" : `; the best neuron reaches ${figure(neuron.value)}`;
  if (claim.control === null) return `${value}${rival}; its control is pending.`;
  const control = `, its control's ${figure(claim.control.value)}${rival}`;
  const said: Record<string, string> = {
    holds: "",
    fails: ": no better than its control",
    undecided: ": this is not decided",
  };
  return `${value}${control}${said[claim.verdict] ?? ""}.`;
}
