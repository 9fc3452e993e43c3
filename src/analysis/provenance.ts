// What changes the mathematics of a figure, and was a dictionary learned on this model as it is now?
import { check } from "../base/errors.ts";
import type { DictionaryMetadata } from "../dictionaries/dictionary.ts";
import { type Model, weightDtype } from "../models/index.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Stands in the manifest of whatever is made of a model: two that differ in it do not compare. */
export interface Provenance {
  model_hash: string;
  tokenizer_hash: string;
  /** Changes of coordinates, first to last: `foldNorms`, `centreUnembed`, … */
  processing: readonly string[];
  /** What every row of tokens begins with, besides text. */
  bos_policy: string;
  /**
   * In which everything is computed: `float32`. Weights that lay in fewer than 8 bits are others than
   * those that were trained: of such it says the types of blocks and, where it was measured, the error.
   */
  dtype: string;
}

export function provenanceOf(model: Model, tokenizer: Tokenizer): Provenance {
  return {
    model_hash: model.hash,
    tokenizer_hash: tokenizer.hash,
    processing: model.processing ?? [],
    bos_policy: bosPolicy(tokenizer),
    dtype: weightDtype(model),
  };
}

/** `none`, or the ids that a row begins with: `before 1`. */
export function bosPolicy({ policy }: Pick<Tokenizer, "policy">): string {
  return policy.before.length === 0 ? "none" : `before ${policy.before.join(" ")}`;
}

/** As a manifest holds it: name → value. */
export function provenanceInputs(from: Provenance): Record<string, string> {
  const { model_hash, tokenizer_hash, processing, bos_policy, dtype } = from;
  return {
    model: model_hash,
    tokenizer: tokenizer_hash,
    processing: said(processing),
    bos_policy,
    dtype,
  };
}

/**
 * Refuses a dictionary that was learned on another model, or on this one before or after a change of
 * coordinates, or on weights in other blocks: `dictionary/processing`, `dictionary/dtype`, `dictionary/model`, `dictionary/tokenizer`, `dictionary/bos`.
 * What the dictionary does not say is not compared. With `allowOtherModel` the differences come back, to be
 * written down instead.
 */
export function checkProvenance(
  metadata: DictionaryMetadata,
  now: Provenance,
  { where, allowOtherModel = false }: { where?: string; allowOtherModel?: boolean } = {},
): string[] {
  const { model_hash, tokenizer_hash, processing, bos_policy, dtype } = metadata;
  // Elsewhere the word stands for the type of the dictionary's own weights.
  const learnedIn =
    typeof dtype === "string" && dtype.startsWith("float32") ? withoutError(dtype) : undefined;
  const pairs = [
    ["processing", "with other weight processing", listed(processing), said(now.processing)],
    ["dtype", "on weights stored in another way", learnedIn, withoutError(now.dtype)],
    ["model", "on another model", model_hash, now.model_hash],
    ["tokenizer", "with another tokenizer", tokenizer_hash, now.tokenizer_hash],
    ["bos", "on rows that begin in another way", bos_policy, now.bos_policy],
  ] as const;
  const differences: string[] = [];
  for (const [name, how, learned, here] of pairs) {
    if (learned === undefined || learned === here) continue;
    check(allowOtherModel, `dictionary/${name}`, `this dictionary was learned ${how}`, {
      where,
      got: learned,
      wanted: here,
    });
    differences.push(`${name}: ${learned}, not ${here}`);
  }
  return differences;
}

/** The same weights, whether or not anybody measured how far off they are. */
function withoutError(dtype: string): string {
  return dtype.split(";")[0]!;
}

function said(processing: readonly string[]): string {
  return processing.length === 0 ? "none" : processing.join(", ");
}

function listed(processing: unknown): string | undefined {
  return Array.isArray(processing) ? said(processing) : undefined;
}
