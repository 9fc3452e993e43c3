// How a tokenizer.json is refused: what is wrong with it, what was got, what is wanted.
import { fail } from "../base/errors.ts";

export function refuse(what: string, got: unknown, wanted: unknown): never {
  return fail("text/tokenizer-json", `this tokenizer.json cannot be used: ${what}`, {
    where: "tokenizer.json",
    got,
    wanted,
  });
}
