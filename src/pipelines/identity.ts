// What does a job's result depend on besides its input? On what the input only names: models, dictionaries, recipes.
import { modelFingerprint } from "../models/index.ts";
import { hashOf, readManifest } from "../workspace/artifact.ts";
import { layout } from "../workspace/layout.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { readRecipe } from "./recipe.ts";
import { findModel } from "./study.ts";

/** Name → hash; it goes into the run's id and its manifest. */
export type MadeFrom = Readonly<Record<string, string>>;

export async function ofModel({ model }: { model: string }, at: Workspace): Promise<MadeFrom> {
  const { folder, file } = await findModel(model, at.folder);
  return { model_files: await modelFingerprint(file ?? folder) };
}

/** The dictionary as it is, and the model that it names. */
export async function ofDictionary(
  { dictionary }: { dictionary: string },
  at: Workspace,
): Promise<MadeFrom> {
  const prefix = layout.dictionary(dictionary);
  const { parameters, inputs } = await readManifest(at.store, prefix, { kind: "dictionary" });
  const named = parameters.model;
  return {
    dictionary: hashOf(inputs),
    ...(typeof named === "string" ? await ofModel({ model: named }, at) : {}),
  };
}

export async function ofDescribed(
  { dictionary, neurons }: { dictionary?: string; neurons?: string },
  at: Workspace,
): Promise<MadeFrom> {
  return dictionary === undefined
    ? ofModel({ model: neurons! }, at)
    : ofDictionary({ dictionary }, at);
}

/** The recipe as it is read; how it is laid out in its file does not count. */
export async function ofRecipe({ recipe }: { recipe: string }): Promise<MadeFrom> {
  return { recipe: hashOf(await readRecipe(recipe)) };
}
