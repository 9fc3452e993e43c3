// How far does a model prefer one next token to another? The number that patching and attribution explain.
import { check } from "../base/errors.ts";
import { gather, input, program, reshape, takeAlong } from "../graph/index.ts";
import {
  checkTokens,
  feedsOf,
  type Handed,
  type Intervention,
  planInterventions,
  rowsOf,
  tapOf,
} from "../hooks/index.ts";
import { largestRowBytes, type Model, residual, unembed } from "../models/index.ts";
import { type Backend, outputLimitBytes, rowsPerRun, workShare } from "../runtime/index.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { programOver } from "./programs.ts";

/** Two tokens a row that the model may go on with. */
export interface Answers {
  readonly right: ArrayLike<number>;
  /** Left out: the logit of the right one alone. */
  readonly wrong?: ArrayLike<number>;
  /** Positions whose next token is meant, one a row; the last by default. Negative ones count back. */
  readonly at?: ArrayLike<number>;
}

/** Of row `row`, counted from the start. */
export function positionOf({ at }: Answers, row: number, pos: number): number {
  const place = at?.[row] ?? -1;
  return place < 0 ? place + pos : place;
}

/** Errors: `circuits/answers`. */
export function checkAnswers(model: Model, tokens: Tensor, answers: Answers): void {
  checkTokens(model.config, tokens);
  const [rows, pos] = tokens.shape as [number, number];
  const { d_vocab } = model.config;
  for (const what of ["right", "wrong", "at"] as const) {
    const list = answers[what];
    if (list === undefined) continue;
    const end = what === "at" ? pos : d_vocab;
    const low = what === "at" ? -pos : 0;
    const odd = Array.from(list).find((x) => !Number.isInteger(x) || x < low || x >= end);
    check(
      list.length === rows && odd === undefined,
      "circuits/answers",
      `${what} is not one ${what === "at" ? "position" : "token"} a row`,
      { got: odd ?? `${list.length}`, wanted: `${rows} from ${low} to ${end - 1}` },
    );
  }
}

/**
 * logit(right) − logit(wrong) of each row of tokens int32 [rows, pos], in logits. Only these two are
 * taken out of the run. Interventions are on sites of the blocks and the embeddings.
 */
export async function logitDifferences(
  model: Model,
  backend: Backend,
  tokens: Tensor<"int32">,
  answers: Answers,
  { interventions = [], ...handed }: { interventions?: readonly Intervention[] } & Handed = {},
): Promise<Float64Array> {
  checkAnswers(model, tokens, answers);
  const { config } = model;
  const [rows, pos] = tokens.shape as [number, number];
  const plan = planInterventions(config, interventions, tokens, handed);
  const bytesPerRow = largestRowBytes(config, pos) / workShare + 4 * config.d_vocab;
  const batch = rowsPerRun(rows, { bytesPerRow, limit: outputLimitBytes });
  const out = new Float64Array(rows);
  const { right, wrong } = answers;
  for (let from = 0; from < rows; from += batch) {
    const n = Math.min(batch, rows - from);
    const parts = plan.key === undefined ? undefined : ["answers", n, pos, plan.key];
    const { program: made, feeds } = programOver(model, parts, (bound) => {
      const ids = input("tokens", "int32", [n, pos]);
      const at = input("at", "int32", [n]);
      const both = input("both", "int32", [n, 2]);
      const changes = tapOf(plan, n);
      const resid = residual(config, bound.values, ids, { tap: changes.tap });
      changes.check();
      const last = gather(reshape(resid, [n * pos, config.d_model]), at, { axis: 0 });
      const logits = unembed(config, bound.values, reshape(last, [n, 1, config.d_model]));
      const taken = takeAlong(reshape(logits, [n, config.d_vocab]), both, { axis: 1 });
      const inputs = [ids, at, both, ...bound.inputs, ...changes.inputs];
      return program({ inputs, outputs: { taken } });
    });
    const each = <T>(of: (row: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));
    const places = each((i) => i * pos + positionOf(answers, from + i, pos));
    const both = each((i) => [right[from + i]!, wrong?.[from + i] ?? 0]).flat();
    const run = await backend.compile(made);
    const { taken } = await run.run({
      ...feeds,
      ...feedsOf(plan, from, n),
      tokens: rowsOf(tokens, from, n),
      at: tensor("int32", [n], Int32Array.from(places)),
      both: tensor("int32", [n, 2], Int32Array.from(both)),
    });
    await run.release();
    const found = taken!.data as Float32Array;
    for (let i = 0; i < n; i++)
      out[from + i] = found[2 * i]! - (wrong === undefined ? 0 : found[2 * i + 1]!);
  }
  return out;
}
