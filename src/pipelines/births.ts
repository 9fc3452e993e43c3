// When do a growing model's heads begin to look back, and what does it gain by it?
import { headScores, type Relation, repeatedTokens } from "../circuits/index.ts";
import {
  contextLosses,
  type GrowthLine,
  type ModelConfig,
  makeModel,
  type Readings,
} from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Weights = Readonly<Record<string, Tensor<"float32">>>;

/** Tokens of each row before they are repeated: the same rows at every measurement. */
const length = 64;
const rows = 16;
const followed = ["previous", "duplicate", "induction"] as const satisfies Relation[];

/** A head is born where its score first passes this (Olsson et al. 2022 call heads above it clear). */
const born = 0.4;

/**
 * On rows of random tokens, each read twice: `previous`, `duplicate` and `induction` hold one score a
 * head, layer after layer; `repeat` holds nats a token of the first reading and of the second.
 */
export function headReadings(
  config: ModelConfig,
  backend: Backend,
): (weights: Weights) => Promise<Readings> {
  return async (weights) => {
    const model = makeModel(config, weights);
    const tokens = repeatedTokens(model, { rows, length });
    const scores = await headScores(model, backend, tokens, { draws: 0 });
    const losses = await contextLosses(config, weights, halves(tokens), backend);
    return {
      ...Object.fromEntries(
        followed.map((name) => [name, scores.map((head) => head.scores[name].value)]),
      ),
      repeat: [losses.first!, losses.again!],
    };
  };
}

/** The part of the card: when each kind of head was born, beside uniform attention and permuted weights. */
export async function birthsOf(
  config: ModelConfig,
  weights: Weights,
  lines: readonly GrowthLine[],
  backend: Backend,
): Promise<string> {
  const model = makeModel(config, weights);
  const tokens = repeatedTokens(model, { rows, length, seed: 1 });
  const last = await headScores(model, backend, tokens, { draws: 4 });
  const measured = lines.filter(({ readings }) => readings !== undefined);
  const kinds = followed.map((name) => {
    const best = last.reduce((a, b) => (b.scores[name].value > a.scores[name].value ? b : a));
    const at = best.layer * config.n_heads + best.head;
    const birth = measured.find(({ readings }) => readings![name]![at]! > born);
    const [uniform, permuted] = best.scores[name].controls;
    return `| ${name} | ${best.layer}.${best.head} | ${figures(best.scores[name].value, uniform!.value, permuted!.high!)} | ${birth === undefined ? "not yet" : tokensOf(birth)} |`;
  });
  const every = Math.max(1, Math.ceil(measured.length / 24));
  const course = measured
    .filter((_, i) => i % every === 0 || i === measured.length - 1)
    .map(({ tokens: seen, readings }) => {
      const [first, again] = readings!.repeat as [number, number];
      return `| ${millions(seen)} | ${figures(...followed.map((name) => Math.max(...readings![name]!)), first, again)} |`;
    });
  return `## Birth of its heads

Attention on rows of ${length} random tokens that are read twice: on the token before (*previous*), on the earlier copy (*duplicate*), on what followed the earlier copy
(*induction*, prefix matching). The best head of each kind after growing, judged on rows that were not measured while growing; beside it uniform attention, and the highest of the same head in four
models with permuted weights; and when that head first passed ${born}.

| kind | layer.head | score | uniform | permuted | born at |
|---|---|---|---|---|---|
${kinds.join("\n")}

The best head of each kind while growing, and nats a token on the first reading and on the second: nothing but the copy predicts the second.

| million tokens | ${followed.join(" | ")} | first reading | second |
|---|---|---|---|---|---|
${course.join("\n")}`;
}

function halves({ shape, data }: Tensor<"int32">) {
  const [n, n_ctx] = shape as [number, number];
  const context = Uint16Array.from(data, (_, i) => (i % n_ctx < length ? 0 : 1));
  return { n_ctx, rows: n, tokens: data, context, contexts: ["first", "again"] };
}

function figures(...values: number[]): string {
  return values.map((x) => x.toFixed(2)).join(" | ");
}

function millions(tokens: number): string {
  return (tokens / 1e6).toFixed(1);
}

function tokensOf({ tokens }: GrowthLine): string {
  return `${millions(tokens)} M tokens`;
}
