// How edits are undone: two lists of records, and a view that is made anew from the untouched model.
import { check } from "../../base/errors.ts";
import type { Model } from "../config.ts";
import { parseEdit, type WeightEdit } from "./edit.ts";
import { type EditedModel, editModel, type ViewOptions } from "./view.ts";

/** A frozen record; JSON holds it whole. */
export interface EditStack {
  /** Hash of the model that the edits are of. */
  readonly model: string;
  /** First to last. */
  readonly done: readonly WeightEdit[];
  /** The next to be redone comes last. */
  readonly undone: readonly WeightEdit[];
}

export function editStack(model: Model): EditStack {
  return frozen({ model: model.hash, done: [], undone: [] });
}

/** One edit more; what was undone can no longer be redone. */
export function pushEdit({ model, done }: EditStack, edit: WeightEdit): EditStack {
  return frozen({ model, done: [...done, parseEdit(edit)], undone: [] });
}

/** Errors: `edit/nothing`. */
export function undoEdit({ model, done, undone }: EditStack): EditStack {
  const last = done.at(-1);
  check(last !== undefined, "edit/nothing", "there is no edit to undo");
  return frozen({ model, done: done.slice(0, -1), undone: [...undone, last] });
}

/** Errors: `edit/nothing`. */
export function redoEdit({ model, done, undone }: EditStack): EditStack {
  const next = undone.at(-1);
  check(next !== undefined, "edit/nothing", "there is no edit to redo");
  return frozen({ model, done: [...done, next], undone: undone.slice(0, -1) });
}

/** What JSON holds of a stack, checked. */
export function parseStack(json: unknown): EditStack {
  const { model, done, undone } = (json ?? {}) as Partial<Record<keyof EditStack, unknown>>;
  check(
    typeof model === "string" && Array.isArray(done) && Array.isArray(undone),
    "edit/stack",
    "this is not a stack of edits",
    { got: Object.keys(json ?? {}).join(", "), wanted: "model, done, undone" },
  );
  return frozen({ model, done: done.map(parseEdit), undone: undone.map(parseEdit) });
}

/**
 * The model as the stack has it. With nothing done it is the model itself, the same object: undoing
 * returns to the bit because nothing was written. Errors: `edit/model`, and those of `editModel`.
 */
export async function viewStack(
  model: Model,
  { model: hash, done }: EditStack,
  options: ViewOptions = {},
): Promise<Model | EditedModel> {
  check(hash === model.hash, "edit/model", "the edits are of another model", {
    where: model.config.name,
    got: model.hash,
    wanted: hash,
  });
  return done.length === 0 ? model : editModel(model, done, options);
}

function frozen({ model, done, undone }: EditStack): EditStack {
  return Object.freeze({ model, done: Object.freeze(done), undone: Object.freeze(undone) });
}
