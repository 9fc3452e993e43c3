// What does a model read when it is given a text?
import { check } from "../base/errors.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { Model } from "./config.ts";

export interface TokensOptions {
  /** Put around a text what the tokenizer puts around it: a beginning of text, `[CLS]` and `[SEP]`. */
  special?: boolean;
}

/**
 * One text, or several of as many tokens each → int32 [rows, pos]. Errors: `model/tokenizer`,
 * `hooks/tokens` where there is nothing to read, or rows differ in length.
 */
export function tokensOf(
  { config, tokenizer }: Model,
  text: string | readonly string[],
  { special = true }: TokensOptions = {},
): Tensor<"int32"> {
  check(tokenizer !== undefined, "model/tokenizer", "this model has no tokenizer", {
    where: config.name,
    hint: "make token ids yourself: tensor('int32', [rows, pos], ids)",
  });
  const rows = (typeof text === "string" ? [text] : text).map((one) =>
    tokenizer.encode(one, { special }),
  );
  const lengths = rows.map(({ length }) => length);
  const pos = lengths[0] ?? 0;
  check(
    pos > 0 && lengths.every((n) => n === pos),
    "hooks/tokens",
    pos > 0 ? "the texts differ in length" : "there is nothing to read",
    {
      got: `${lengths.join(", ") || "no"} tokens`,
      wanted: "at least one text, and as many tokens in each",
      hint: "read them one by one",
    },
  );
  const ids = new Int32Array(rows.length * pos);
  for (const [i, row] of rows.entries()) ids.set(row, i * pos);
  return tensor("int32", [rows.length, pos], ids);
}
