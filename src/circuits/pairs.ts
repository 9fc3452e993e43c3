// What is compared when values move between prompts: pairs of prompts, and prompts that have nothing to do with them.
import { check } from "../base/errors.ts";
import { random } from "../base/random.ts";
import type { Model } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type Answers, checkAnswers, logitDifferences } from "./answers.ts";
import { drawnControl, type Figure, figure } from "./figure.ts";

/** Prompts of equal length, row by row; `right` is what the clean one asks for. */
export interface PromptPairs extends Answers {
  readonly clean: Tensor<"int32">; // [rows, pos]
  readonly corrupted: Tensor<"int32">; // [rows, pos]
}

/** `noising`: clean runs, a value from the corrupted. `denoising`: corrupted runs, a value from the clean. */
export type Direction = "noising" | "denoising";

export interface ControlOptions {
  /** Prompts [rows, pos] for the control; else the other rows', or the source's tokens shuffled. */
  unrelated?: readonly Tensor<"int32">[];
  /** How many unrelated prompts to make where none are handed in. */
  draws?: number;
  seed?: number;
}

export interface Setting {
  /** What runs. */
  readonly base: Tensor<"int32">;
  /** Where the value comes from. */
  readonly source: Tensor<"int32">;
  readonly unrelated: readonly Tensor<"int32">[];
  readonly answers: Answers;
  /** logit(right) − logit(wrong), one a row. */
  readonly clean: Float64Array;
  readonly corrupted: Float64Array;
  /** What all of the way from base to source is, summed over rows. */
  readonly way: number;
  readonly start: Float64Array;
}

/** Errors: `circuits/pairs` for prompts of other lengths or without a difference between them. */
export async function settingOf(
  model: Model,
  backend: Backend,
  { clean, corrupted, right, wrong, at }: PromptPairs,
  direction: Direction,
  { unrelated, draws = 2, seed = 0 }: ControlOptions,
): Promise<Setting> {
  const answers = { right, wrong, at };
  for (const other of [corrupted, ...(unrelated ?? [])])
    check(
      other.shape.join() === clean.shape.join(),
      "circuits/pairs",
      "prompts of different lengths have no places in common",
      { got: `[${other.shape.join(", ")}]`, wanted: `[${clean.shape.join(", ")}]` },
    );
  checkAnswers(model, clean, answers);
  checkAnswers(model, corrupted, answers);
  const values = {
    clean: await logitDifferences(model, backend, clean, answers),
    corrupted: await logitDifferences(model, backend, corrupted, answers),
  };
  const [base, source] = direction === "noising" ? [clean, corrupted] : [corrupted, clean];
  const [start, end] =
    direction === "noising" ? [values.clean, values.corrupted] : [values.corrupted, values.clean];
  const way = start.reduce((sum, x, row) => sum + end[row]! - x, 0);
  check(
    Math.abs(way) > 1e-6 * start.length,
    "circuits/pairs",
    "clean and corrupted prompts give the same answer: there is nothing to explain",
    { got: way / start.length, wanted: "a difference of logits" },
  );
  const strangers = unrelated ?? unrelatedPrompts(source, { draws, seed });
  return { base, source, unrelated: strangers, answers, ...values, way, start };
}

/** How much of the way each row's values went, over all rows: Σ moved / Σ way. */
export function effectOf({ start, way }: Setting, values: ArrayLike<number>): number {
  let moved = 0;
  for (let row = 0; row < start.length; row++) moved += values[row]! - start[row]!;
  return moved / way;
}

/** The effect beside those of the unrelated prompts: first the source's values, then theirs. */
export function effectFigure(setting: Setting, runs: readonly ArrayLike<number>[]): Figure {
  const [own, ...others] = runs.map((values) => effectOf(setting, values));
  return figure(own!, ...(others.length === 0 ? [] : [drawnControl("unrelated-prompt", others)]));
}

/** With several rows, each row gets another row's prompt; a single one gets its own tokens shuffled. */
function unrelatedPrompts(
  source: Tensor<"int32">,
  { draws, seed }: { draws: number; seed: number },
): Tensor<"int32">[] {
  const [rows, pos] = source.shape as [number, number];
  const rng = random(seed).stream("unrelated");
  return Array.from({ length: rows > 1 ? Math.min(draws, rows - 1) : draws }, (_, draw) => {
    const data = new Int32Array(rows * pos);
    for (let row = 0; row < rows; row++) {
      const from = rows > 1 ? (row + draw + 1) % rows : row;
      const ids = source.data.slice(from * pos, (from + 1) * pos);
      data.set(rows > 1 ? ids : rng.shuffle(ids), row * pos);
    }
    return tensor("int32", [rows, pos], data);
  });
}
