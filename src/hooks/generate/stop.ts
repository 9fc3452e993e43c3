// When does a row of new text end?
import { check } from "../../base/errors.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

export type Finish = "stop-token" | "stop-string" | "length";

/** Sees a row's new tokens one by one and says when one of them is the last. */
export function stopper(
  tokenizer: Tokenizer | undefined,
  { stopTokens = [], stop = [] }: { stopTokens?: readonly number[]; stop?: readonly string[] },
): (token: number) => Finish | undefined {
  check(
    stop.length === 0 || tokenizer !== undefined,
    "generate/stop",
    "stop strings need a tokenizer, and the model has none",
    { got: stop.join(", "), hint: "name stop tokens" },
  );
  check(!stop.includes(""), "generate/stop", "an empty stop string would end every text at once");
  const ends = new Set(stopTokens);
  const seen: number[] = [];
  return (token) => {
    if (ends.has(token)) return "stop-token";
    if (stop.length === 0) return undefined;
    seen.push(token);
    // Decoded as a whole: a character may be spread over several tokens.
    const text = tokenizer!.decode(seen);
    return stop.some((one) => text.includes(one)) ? "stop-string" : undefined;
  };
}
