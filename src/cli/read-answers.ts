// Which two next tokens are compared: those that were named, or the model's own two likeliest?
import { check } from "../base/errors.ts";
import { logProbabilities, runWithCache } from "../hooks/index.ts";
import { clipped, tokenLabel } from "./picture.ts";
import { type Prompt, type Session, type Token, tokenOf, tokensOf } from "./read-session.ts";

export interface Asked {
  readonly right: Token;
  readonly wrong: Token;
}

/**
 * `--answer` and `--wrong`; what is not named is the likeliest token after `answered`, and the
 * likeliest other one after `rival` (the prompt itself when left out). Errors: `option/unknown`.
 */
export async function askedAnswers(
  { model, backend, options }: Session,
  answered: Prompt,
  rival: Prompt = answered,
): Promise<Asked> {
  const best = async ({ tokens, ids }: Prompt): Promise<number[]> => {
    const { logits } = await runWithCache(model, backend, tokens, { logits: true });
    const last = logProbabilities(logits!, ids.length - 1, model.config.d_vocab);
    const order = Array.from(last, (_, id) => id).sort((a, b) => last[b]! - last[a]!);
    return order.slice(0, 2);
  };
  const { answer, wrong: named } = options;
  const right =
    answer === undefined ? (await best(answered))[0]! : tokenOf(model, answer, "--answer");
  const wrong =
    named === undefined
      ? (await best(rival)).find((id) => id !== right)!
      : tokenOf(model, named, "--wrong");
  check(right !== wrong, "option/unknown", "--answer and --wrong are the same token", {
    got: right,
    wanted: "two tokens",
  });
  const [a, b] = tokensOf(model, [right, wrong]);
  return { right: a!, wrong: b! };
}

/** `logit(·was) − logit(·had)`, cut where tokens are long. */
export function askedDifference(right: Token, wrong: Token): string {
  const [a, b] = [right, wrong].map((token) => clipped(tokenLabel(token), 14));
  return `logit(${a}) − logit(${b})`;
}
