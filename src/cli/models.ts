// Which model is meant on the command line: one of this project folder, a bundled one, a folder, or a hub id?
import { type Model, openModel, resolveModel } from "../models/index.ts";
import { modelShelf } from "../server/models.ts";

/** Errors: `model/missing`, with the line that fetches it where it is a hub id. */
export async function modelFolder(reference: string, out: string): Promise<string> {
  const shelf = modelShelf(out);
  if ((await shelf.names()).includes(reference)) return shelf.folder(reference);
  return (await resolveModel(reference)).folder;
}

export async function findModel(reference: string, out: string): Promise<Model> {
  return openModel(await modelFolder(reference, out));
}
