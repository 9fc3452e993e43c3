// What a model is grown from: its sizes, its texts with their licences, the mix, and the training.
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { fail } from "../base/errors.ts";
import { parseConfig } from "../models/parse-config.ts";

const TextSourceSchema = z.strictObject({
  /** A file or glob below the folder of texts. */
  path: z.string(),
  context: z.string(),
  /** At most so many characters, spread over the source. */
  characters: z.number().int().positive().optional(),
  licence: z.string(),
  attribution: z.string(),
});

export const RecipeSchema = z.strictObject({
  seed: z.number().int().nonnegative(),
  model: z.unknown().transform((json) => parseConfig(json, "recipe: model")),
  tokenizer: z.union([
    z.strictObject({
      /** Characters of the mix that the vocabulary is trained on. */
      characters: z.number().int().positive(),
      maxTokenLength: z.number().int().positive(),
    }),
    z.strictObject({
      /** A `tokenizer.json` beside other recipes, from this recipe's folder: models to be compared read alike. */
      from: z.string(),
    }),
  ]),
  training: z.strictObject({
    steps: z.number().int().positive(),
    batch: z.number().int().positive(),
    lr: z.number().positive(),
    warmup: z.number().int().nonnegative(),
    decay: z.enum(["none", "linear", "cosine"]),
    beta2: z.number(),
    weightDecay: z.number(),
    clipNorm: z.number(),
    positions: z.enum(["normal", "sinusoidal"]).optional(),
  }),
  /** Share of the tokens by context. */
  weights: z.record(z.string(), z.number().positive()),
  texts: z.array(TextSourceSchema),
});

export type Recipe = z.infer<typeof RecipeSchema>;
export type TextSource = z.infer<typeof TextSourceSchema>;

/** Reads `recipe.json`; what is wrong in it is named by its path. */
export async function readRecipe(path: string): Promise<Recipe> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    return fail("grow/recipe", "the recipe cannot be read", { where: path, cause });
  }
  const read = RecipeSchema.safeParse(json);
  if (read.success) return read.data;
  const [first] = read.error.issues;
  return fail("grow/recipe", `the recipe is wrong: ${first!.message}`, {
    where: `${path}: ${first!.path.join(".")}`,
  });
}
