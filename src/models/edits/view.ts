// What a model is with edits on it: another model that shares every tensor the edits leave alone.
import { createHash } from "node:crypto";
import type { Store } from "../../storage/store.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Model } from "../config.ts";
import { lazyWeights, type Stored } from "../stored.ts";
import { draftOf, hashTensor } from "./draft.ts";
import { isProcessing, parseEdit, type WeightEdit } from "./edit.ts";
import { applyNumbers } from "./numbers.ts";
import { applyProcessing } from "./processing.ts";

export interface EditedModel extends Model {
  /** What was done, first to last. */
  readonly edits: readonly WeightEdit[];
  /** The changes of coordinates among them: what recordings and dictionaries have to remember. */
  readonly processing: readonly string[];
}

export interface ViewOptions {
  /** Holds the files that `replace` edits take tensors from. */
  store?: Store;
}

/**
 * The model with the edits applied in order. Only tensors that they touch are copied; the model
 * itself is never written. An edit is of the weight that it names: where the unembedding is the
 * embedding's transpose, editing one unties them. The hash is that of the model and the tensors that
 * differ from its own, so edits that cancel to the bit leave it as it was.
 * Errors: `edit/kind|field|weight|index|shape|file|precondition`.
 */
export async function editModel(
  model: Model,
  edits: readonly WeightEdit[],
  { store }: ViewOptions = {},
): Promise<EditedModel> {
  const before: Partial<EditedModel> = model;
  const draft = draftOf(model);
  const parsed = edits.map(parseEdit);
  for (const edit of parsed)
    await (isProcessing(edit) ? applyProcessing(draft, edit) : applyNumbers(draft, edit, store));
  const changed = await draft.changed();
  return Object.freeze({
    ...model,
    ...overlaid({ ...model, config: draft.config }, changed),
    hash: hashOf(model, changed),
    edits: Object.freeze([...(before.edits ?? []), ...parsed]),
    processing: Object.freeze([
      ...(before.processing ?? []),
      ...parsed.filter(isProcessing).map(({ kind }) => kind),
    ]),
  });
}

function overlaid(
  { config, weights, stored }: Model,
  changed: Readonly<Record<string, Tensor<"float32">>>,
): Pick<Model, "config" | "weights" | "stored"> {
  const untied = changed["embed.W_E"] !== undefined || changed["unembed.W_U"] !== undefined;
  const own = config.tied && untied ? { ...config, tied: false } : config;
  if (stored === undefined)
    return { config: own, weights: Object.freeze({ ...weights, ...changed }) };
  const sources = { ...stored.sources };
  const views = { ...stored.views };
  for (const [name, tensor] of Object.entries(changed)) {
    const source = `edited ${name}`;
    sources[source] = { kind: "memory", shape: tensor.shape, tensor };
    views[name] = { tensor: source, steps: [] };
  }
  const overlay: Stored = { sources, views };
  return { config: own, weights: lazyWeights(overlay), stored: overlay };
}

function hashOf(model: Model, changed: Readonly<Record<string, Tensor<"float32">>>): string {
  const names = Object.keys(changed);
  if (names.length === 0) return model.hash;
  const hash = createHash("sha256").update(model.hash);
  for (const name of names) hash.update(`\n${name} ${hashTensor(changed[name]!)}`);
  return hash.digest("hex");
}
